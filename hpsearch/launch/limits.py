"""What arguments of launchers may be."""

from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import Limits, count, flag, number, optional, or_word

FUSE = ("auto", "on", "off")


def _fuse(key: str, value: Any) -> None:
    """Refuse what does not say how many trials are trained as one program; of Python and YAML on is true, off false."""
    whole = isinstance(value, int) and value >= 1
    if value not in FUSE and not whole and not isinstance(value, bool):
        raise ConfigError(f"{key} = {value!r}: must be {', '.join(FUSE)}, or how many trials at most, from 1 on")


def fuse_word(value: bool | int | str) -> int | str:
    """Return `launcher.fuse` as a word or a number."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


LIMITS: Limits = {
    "hpsearch.launch.*": {
        "workers": optional(or_word(count(), "auto")),
        "lockstep": flag,
        "retries": count(0),
        "grace_sec": number("[0, inf)"),
        "fuse": _fuse,
        "log_mib": number("(0, inf)"),
        "paused": or_word(count(0), "auto"),
    },
}
