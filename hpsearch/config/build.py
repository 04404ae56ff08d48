"""The only place where a configuration becomes an object."""

from collections.abc import Mapping, Sequence
from typing import Any


def build(kind: str, config: Mapping[str, Any], plugins: Sequence[str] = (), **extra: Any) -> Any:
    """Build the object that `config` describes, after checking that it is one of its kind."""
    raise NotImplementedError
