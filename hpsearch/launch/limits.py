"""What arguments of launchers may be."""

from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import POSITIVE, Limits, count, flag, number, one_of, optional, or_word, port, table, text


def gpu_share(key: str, value: Any) -> None:
    """Refuse what is neither a whole number of GPUs nor the share that one of several workers has of a GPU."""
    POSITIVE(key, value)
    whole = float(value) if value >= 1 else 1 / value
    if abs(round(whole) - whole) > (0.0 if value >= 1 else _ROUNDED * whole):
        raise ConfigError(
            f"{key} = {value!r}: must be a whole number of GPUs, or the share of one that several workers use alike: "
            ".5, .33, .25, .2, ..."
        )


_ROUNDED = 0.01
"""A third may be written .33."""


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
        "gpus_per_trial": optional(gpu_share),
        "paused": or_word(count(0), "auto"),
        "start_sec": number("(0, inf)"),
        "idle_sec": number("[0, inf)"),
        "address": optional(text),
        "time_min": count(1),
        "memory_gib": optional(number("(0, inf)")),
        "notice_sec": count(1),
        "port": port,
        "sbatch": optional(table),
        "executor": one_of("slurm", "local"),
    },
}
