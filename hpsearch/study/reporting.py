"""What a user's own code says and asks while it trains, from wherever it is: a function, a callback, a module below."""

from collections.abc import Mapping
from multiprocessing import parent_process
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from hpsearch.base.current import Searched, Stop, present, process
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Decision
from hpsearch.trial.inside import inside
from hpsearch.trial.media import save

__all__ = ["Decision", "Stop", "checkpoint", "folder", "log", "params", "report"]


def report(
    metrics: Mapping[str, Any] | None = None,
    epoch: int | None = None,
    *,
    step: int | None = None,
    raises: bool = True,
    **named: Any,
) -> Decision:
    """Say what was measured after an epoch, and learn how the trial goes on.

    Outside any trial the script is tracked as a single trial, which ends with it.

    Args:
        metrics: numbers by name, all that was measured at this epoch, as ``{"valid/acc": 0.9}``.
        epoch: after which; by default the next one.
        step: optimizer updates so far; by default the epoch.
        raises: whether a decision that ends the function is raised, so that its own clean-up runs and nothing else has
            to be written.
        named: more metrics, whose names Python can spell: ``report(acc=0.9, epoch=3)``.

    Returns:
        ``continue``; with ``raises=False`` also ``stop`` or ``pause``: the function should end soon, and what it
        returns does not matter. What is no report raises one of the errors of `hpsearch.base.errors`; a decision to
        end raises `Stop`.

    Example:
        >>> def objective():
        ...     lr = params()["lr"]
        ...     assert folder().is_dir() and checkpoint() is None
        ...     for epoch in range(1, 4):
        ...         report({"valid/loss": (lr - 0.1) ** 2 + 1 / epoch}, epoch=epoch)
        ...     log("note", f"trained with {lr}")
        ...     return (lr - 0.1) ** 2
        >>> options = {"objective": "valid/loss", "direction": "minimize", "sampler": "grid", "tracker": "none"}
        >>> options |= {"overrides": ["launcher=inline"], "observer": Silent()}
        >>> run_search(objective, space={"lr": [0.1, 0.3]}, **options).best.params
        {'lr': 0.1}
    """
    given: Any = {**({} if metrics is None else metrics), **named} if named else metrics
    return _trial("report").report(given, epoch, step, raises)


def log(name: str, value: Any, *, epoch: int | None = None) -> None:
    """Keep a picture, a figure, a table or a text beside the numbers of the trial.

    The report shows the last one of each name, of the best, the median and the worst point side by side; MLflow shows
    pictures by epoch.

    Args:
        name: of what it shows: letters, digits, ``_ . -`` and spaces.
        value: a picture (of PIL; of numpy [H, W] or [H, W, 3 or 4], or of torch [1, 3 or 4, H, W], whole numbers up to
            255 or others from 0 to 1), a figure of matplotlib or plotly, a table (a DataFrame, a list of mappings, a
            mapping of lists), or a text. What does not fit into 1 MiB is made smaller or cut, and a trial keeps 200;
            what is none of these raises one of the errors of `hpsearch.base.errors`.
        epoch: after which; by default that of the next report. One of the same name and epoch is replaced.
    """
    trial = _trial("log")
    save(trial.folder, name, value, (trial.epoch or 0) + 1 if epoch is None else epoch)


def params() -> dict[str, Any]:
    """Return the arguments of the trial's function by name, for code that cannot take arguments; none outside any."""
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
    """Return the trial that runs; the script itself where none does."""
    trial = present()
    if trial is None:
        trial = inside()
    if trial is not None:
        return trial
    if process.is_worker or parent_process() is not None or current_thread() is not main_thread():
        raise HpsearchError(
            f"hpsearch.{name} was called in {_place()}, where no trial runs: call it in the process and the thread of "
            "the trial's function, before it ends"
        )
    from hpsearch.study.script import script

    return script()


def _place() -> str:
    thread = current_thread()
    return "a child process" if parent_process() else f"thread '{thread.name}'"
