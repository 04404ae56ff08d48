"""What the callbacks share: which numbers are reported, and whether training is to end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Number
from typing import Any
from weakref import WeakSet

import hpsearch
from hpsearch.base import current

_asked: WeakSet[Any] = WeakSet()
"""The trials whose code goes on from its checkpoints."""


class Reporter:
    """Reports for a library's callback.

    Attributes:
        ended: whether the trial is to end, or to wait: the library was told to stop.
    """

    def __init__(self) -> None:
        self.ended = False

    def __call__(self, metrics: Mapping[str, Any], epoch: int, step: int | None = None) -> bool:
        """Report what was measured.

        Args:
            metrics: by name; what is no number is left out.
            epoch: after which, counted from 1.
            step: optimizer updates so far.

        Returns:
            Whether training is to end. A library that trains on all the same meets `hpsearch.Stop` at its next report.
        """
        numbers = {name: value for name, value in metrics.items() if _is_number(value)}
        decision = hpsearch.report(numbers, epoch=epoch, step=step, raises=self.ended)
        self.ended = decision is not hpsearch.Decision.CONTINUE
        return self.ended


def saves() -> bool:
    """Return whether the trial's code goes on from its checkpoints, so that they are worth writing."""
    return current.present() in _asked


def ask_checkpoint() -> Any:
    """Return the checkpoint to go on from, and leave the generators where they are: the library sets them itself."""
    with _kept_generators():
        found = hpsearch.checkpoint()
    if (trial := current.present()) is not None:
        _asked.add(trial)
    return found


@contextmanager
def _kept_generators() -> Iterator[None]:
    from hpsearch.callbacks.generators import read_generators, set_generators

    states = read_generators()
    try:
        yield
    finally:
        set_generators(states)


def _is_number(value: Any) -> bool:
    """Whether a value is one number, of Python, NumPy or torch; a flag is none."""
    if isinstance(value, bool):
        return False
    return isinstance(value, Number) or (hasattr(value, "item") and getattr(value, "ndim", 1) == 0)
