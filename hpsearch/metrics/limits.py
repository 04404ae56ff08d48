"""What of metrics no search may be over."""

from collections.abc import Mapping

YARDSTICK: Mapping[str, str] = dict.fromkeys(("metric", "metric.*"), "it is what points are measured by")
"""Why a search over a key compares nothing."""
