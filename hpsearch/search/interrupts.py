"""How often the user, or the system, asked to stop."""

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hpsearch.base import current, platform
from hpsearch.base.current import Overdue
from hpsearch.base.errors import check_choice
from hpsearch.base.stopping import INTERRUPTED, stops

RAISE, RETURN = "raise", "return"
"""What a call does that was asked to stop, when everything is saved: KeyboardInterrupt, or its outcome."""
_TIMES, _AGAIN_SEC = 5, 1.0
"""How often a trial of this process is interrupted that goes on: one may catch it, or sleep in a ``finally``."""
_ECHO_SEC = 1.0
"""Whoever ends a job, a service or a session may tell a command twice, the second time by way of its shell."""
_HEARD = "interrupted: stops at the end of the running epoch; once more to stop at once"


class _Asked(threading.local):
    times = 0


_asked = _Asked()


@dataclass
class Interrupts:
    """How often the user, or the system, asked to stop.

    Attributes:
        count: so often.
        process: that counts; one that it forks, such as a pool of a user's function, handles signals as before.
        before: the handlers by signal.
        line: is told at once that the first one was heard; None: whoever looks at `count` says so soon.
        within_sec: how long trials of this process may go on after the first; then `Overdue` is raised in the midst of
            them. None: trials run elsewhere.
    """

    count: int = 0
    process: int = field(default_factory=os.getpid)
    before: dict[int, Any] = field(default_factory=dict)
    line: Callable[[str], object] | None = None
    within_sec: Callable[[], float] | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _is_overdue: bool = False
    _first: float = 0.0
    _outer: Callable[[], bool] = current.process.interrupted

    def __call__(self, number: int, _frame: object) -> None:
        """Count a signal; from the second on, stop at once."""
        if os.getpid() != self.process:
            self.restore()
            os.kill(os.getpid(), number)
            return
        if self._is_overdue:
            self._is_overdue = False
            raise Overdue
        if self.count and number != signal.SIGINT and time.monotonic() - self._first < _ECHO_SEC:
            return
        self._first = self._first or time.monotonic()
        self.count += 1
        note_interrupt()
        if self.count > 1:
            raise KeyboardInterrupt
        if self.line is not None:  # not from here: a signal may arrive in the middle of what is being printed
            _thread.start_new_thread(self.line, (_HEARD,))
        if self.within_sec is not None:
            _thread.start_new_thread(self._interrupt_trials, (self.within_sec(),))

    def _interrupt_trials(self, within_sec: float) -> None:
        """Interrupt what goes on for too long, some times; what nothing interrupts ends the command, if it is one."""
        for _ in range(_TIMES):
            if self._over.wait(within_sec):
                return
            self._is_overdue, within_sec = True, _AGAIN_SEC
            _interrupt_main_thread()
        if not self._over.wait(within_sec) and stops.is_command:
            if self.line is not None:
                self.line("the trial cannot be interrupted: the command ends with it; the same command goes on")
            os._exit(INTERRUPTED)

    def take_over(self) -> None:
        """Handle the signals that ask to stop."""
        self._outer, current.process.interrupted = current.process.interrupted, lambda: self.count > 0
        self.before = {number: signal.signal(number, self) for number in platform.stop_signals()}

    def restore(self) -> None:
        """Handle them as before."""
        self._over.set()
        current.process.interrupted = self._outer
        for number, handler in self.before.items():
            signal.signal(number, handler)


@contextmanager
def interrupts(
    line: Callable[[str], object] | None = None, within_sec: Callable[[], float] | None = None
) -> Iterator[Interrupts]:
    """Count what asks to stop inside the block instead of dying of it; the second time raises KeyboardInterrupt.

    Args:
        line: see `Interrupts`.
        within_sec: the same.

    Yields:
        The counter; it stays at 0 outside the main thread, where Python delivers no signals.
    """
    counter = Interrupts(line=line, within_sec=within_sec)
    if threading.current_thread() is not threading.main_thread():
        yield counter
        return
    counter.take_over()
    try:
        yield counter
    finally:
        counter.restore()


def _interrupt_main_thread() -> None:
    """Let the main thread handle SIGINT now, also where it sleeps; on Windows once it does not."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def note_interrupt() -> None:
    """Remember that this thread was asked to stop, where that raised nothing."""
    _asked.times += 1


@contextmanager
def saved_first(on_interrupt: str) -> Iterator[None]:
    """Raise at the end of the block what was held back in it, so that everything is saved by then.

    Args:
        on_interrupt: `RAISE`, or `RETURN` where the outcome says enough.

    Yields:
        Nothing.

    Raises:
        KeyboardInterrupt: the block was asked to stop.
    """
    check_choice("on_interrupt", on_interrupt, (RAISE, RETURN))
    before = _asked.times
    yield
    if _asked.times > before and on_interrupt == RAISE:
        raise KeyboardInterrupt("everything is saved, and the same call goes on; on_interrupt='return' returns how far")
