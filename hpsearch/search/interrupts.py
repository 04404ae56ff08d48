"""How often the user, or the system, asked to stop."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hpsearch.base import platform


@dataclass
class Interrupts:
    """How often the user, or the system, asked to stop.

    Attributes:
        count: so often.
        process: that counts; one that it forks, such as a pool of a user's function, handles signals as before.
        before: the handlers by signal.
    """

    count: int = 0
    process: int = field(default_factory=os.getpid)
    before: dict[int, Any] = field(default_factory=dict)

    def __call__(self, number: int, _frame: object) -> None:
        """Count a signal; from the second on, stop at once."""
        if os.getpid() != self.process:
            self.restore()
            os.kill(os.getpid(), number)
            return
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt

    def take_over(self) -> None:
        """Handle the signals that ask to stop."""
        self.before = {number: signal.signal(number, self) for number in platform.stop_signals()}

    def restore(self) -> None:
        """Handle them as before."""
        for number, handler in self.before.items():
            signal.signal(number, handler)


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
    counter.take_over()
    try:
        yield counter
    finally:
        counter.restore()
