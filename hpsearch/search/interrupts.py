"""How often the user, or the system, asked to stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hpsearch.base import platform


@dataclass
class Interrupts:
    """How often the user, or the system, asked to stop."""

    count: int = 0

    def __call__(self, _number: int, _frame: object) -> None:
        """Count a signal; from the second on, stop at once."""
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Count SIGINT and SIGTERM inside the block instead of dying of them; the second raises KeyboardInterrupt.

    Yields:
        The counter; it stays at 0 outside the main thread, where Python delivers no signals.
    """
    counter = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield counter
        return
    signals = platform.stop_signals()
    before = [signal.signal(number, counter) for number in signals]
    try:
        yield counter
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
