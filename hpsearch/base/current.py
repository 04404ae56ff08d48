"""The trial that the present code runs in, for code that is not told of it: callbacks, modules far below a function."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hpsearch.base.types import Decision


class Stop(BaseException):
    """Ends a function whose trial is to end, or to wait and go on later from its checkpoint.

    It is no `Exception`, so that ``except Exception`` does not swallow it.
    """


class Overdue(KeyboardInterrupt):
    """Ends a trial in the driver's own process that goes on although it was asked to stop."""


class Searched(Protocol):
    """A trial, to the code that it runs."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The arguments of its function."""
        ...

    @property
    def folder(self) -> Path:
        """For files of its own."""
        ...

    @property
    def epoch(self) -> int | None:
        """The last one so far, None before the first."""
        ...

    def report(self, metrics: Mapping[str, Any], epoch: int | None, step: int | None, raises: bool) -> Decision:
        """Say what was measured, and learn how it goes on."""
        ...

    def checkpoint(self) -> Path | None:
        """Return the newest checkpoint to go on from."""
        ...


@dataclass
class Process:
    """What this process is to the code that trains in it; a launcher says so.

    Attributes:
        is_worker: whether it trains and does nothing else.
        paused: how many loops may wait in it and for it; ``auto``: as many as the memory allows.
        parked: how many wait for it, each in a process of its own.
        grace_sec: how long a program has to end that is asked to.
        fuse: whether trials may be trained as one program: ``auto``, ``on``, ``off``, or how many at most.
        told_to_stop: whether the trial that trains is to stop, which it has not been told yet.
        interrupted: whether somebody may have asked the process to stop, so that a KeyboardInterrupt is no trial's own.
        forget: ends what waits in it of the trials in these folders.
    """

    is_worker: bool = False
    paused: int | str = "auto"
    parked: int = 0
    grace_sec: float = 10.0
    fuse: int | str = "off"
    told_to_stop: Callable[[], bool] = lambda: False
    interrupted: Callable[[], bool] = lambda: True
    forget: Callable[[Iterable[str]], None] = lambda _: None

    def stops_by(self, error: BaseException) -> bool:
        """Return whether an error ends the process and not a trial: the KeyboardInterrupt of somebody who asked to."""
        return isinstance(error, KeyboardInterrupt) and not self.is_worker and self.interrupted()


process = Process()
_trials: list[Searched] = []


@contextmanager
def within(trial: Searched) -> Iterator[None]:
    """Let what is called inside run in a trial."""
    _trials.append(trial)
    try:
        yield
    finally:
        _trials.pop()


def present() -> Searched | None:
    """Return the trial that runs in this process, the innermost one; None outside any."""
    return _trials[-1] if _trials else None
