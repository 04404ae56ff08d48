"""What a user's own code says and asks while it trains, from wherever it is: a function, a callback, a module below."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.current import Searched, Stop, present
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Decision

__all__ = ["Decision", "Stop", "checkpoint", "folder", "params", "report"]


def report(
    metrics: Mapping[str, Any], *, epoch: int | None = None, step: int | None = None, raises: bool = True
) -> Decision:
    """Say what was measured after an epoch, and learn how the trial goes on.

    Args:
        metrics: numbers by name, all that was measured at this epoch, as ``{"valid/acc": 0.9}``.
        epoch: after which; by default the next one.
        step: optimizer updates so far; by default the epoch.
        raises: whether a decision that ends the function is raised, so that its own clean-up runs and nothing else has
            to be written.

    Returns:
        ``continue``; with ``raises=False`` also ``stop`` or ``pause``: the function should end soon, and what it
        returns does not matter. What is no report raises one of the errors of `hpsearch.base.errors`; a decision to
        end raises `Stop`.
    """
    return _trial("report").report(metrics, epoch, step, raises)


def params() -> dict[str, Any]:
    """Return the arguments of the trial's function by name, for code that cannot take arguments."""
    return dict(_trial("params").params)


def folder() -> Path:
    """Return a folder of the trial's own, for files that it writes."""
    return _trial("folder").folder


def checkpoint() -> Path | None:
    """Return the newest checkpoint to go on from.

    Returns:
        The newest file or folder in `folder()` whose name begins with ``checkpoint`` or ends in ``.ckpt``; None for a
        trial that starts from scratch.
    """
    return _trial("checkpoint").checkpoint()


def _trial(name: str) -> Searched:
    trial = present()
    if trial is None:
        raise HpsearchError(f"hpsearch.{name} was called outside any trial")
    return trial
