"""Threads that nothing waits for in vain.

`threading.Thread.start` waits until the thread says that it runs. One that finds no memory as it begins never says so.
"""

import threading
from collections.abc import Callable
from typing import Any

START_SEC = 60.0
"""How long a thread may take to begin: far more than under any load."""


class _Begun(threading.Event):
    """What `threading.Thread.start` waits for."""

    def wait(self, timeout: float | None = None) -> bool:
        if not super().wait(START_SEC if timeout is None else timeout):
            raise RuntimeError("can't start new thread: it found no memory as it began")
        return True


def start_thread(function: Callable[..., object], *args: Any, name: str) -> threading.Thread:
    """Start a daemon thread.

    Args:
        function: what it calls.
        *args: with these arguments.
        name: of the thread.

    Returns:
        The thread, which runs. Where the system starts no more, or it has no memory to begin with, a RuntimeError.
    """
    thread = threading.Thread(target=function, args=args, name=name, daemon=True)
    thread._started = _Begun()  # type: ignore[attr-defined]  # there is no other way to be told
    thread.start()
    return thread
