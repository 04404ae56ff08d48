"""What Ctrl-C, SIGTERM, SIGUSR1 and a closed terminal do to a command while nothing else handles them.

Before it begins to work they end it at once: imports are many, and some take an interrupt for a fault of theirs. Then
they raise KeyboardInterrupt, so that whatever is open is closed. Either way its exit code is `INTERRUPTED`.
"""

import _signal  # type: ignore[import-not-found]  # `signal` may be a file in the working folder, which stands first on the path when this begins
import _thread  # without the locks of `threading`, one of which may be held where a signal arrives
import atexit
import os
import time

TYPE_CHECKING = False  # as `typing` has it, which is not imported before the import path is in order

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130
_AGAIN_SEC = 0.02
_IMPORT_SEC = 2.0
"""How long an import may take to end."""
_IMPORT = "<frozen importlib._bootstrap>"


class Stops:
    """Handles the signals that ask a command to stop.

    Attributes:
        heard: whether one came since the command works.
    """

    def __init__(self) -> None:
        self.heard = False
        self._works = False
        self._later, self._until = False, 0.0
        self._code = INTERRUPTED
        self._process = os.getpid()

    def take_over(self) -> None:
        """Handle them from now on; a terminal's end not where that is ignored, as under ``nohup``."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGBREAK"):
            number = getattr(_signal, name, None)
            ignored = name == "SIGHUP" and _signal.getsignal(_signal.SIGHUP) == _signal.SIG_IGN
            if number is not None and not ignored:
                _signal.signal(number, self)
        atexit.register(_signal.signal, _signal.SIGINT, _signal.SIG_IGN)  # after all others, when Python ends

    def work(self) -> None:
        """Raise KeyboardInterrupt from now on: something is open that must be closed."""
        self._works = True

    @property
    def is_command(self) -> bool:
        """Whether this process is a command that works, and does nothing else."""
        return self._works

    def end(self, code: int) -> int:
        """Exit at once from now on, with the code of a command that is done; return it."""
        self._works, self._code = False, code
        return code

    def __call__(self, number: int, frame: "FrameType | None") -> None:
        """Stop; the first time, while a module is imported, as soon as that is done, if it is done soon.

        Raises:
            KeyboardInterrupt: the command works.
        """
        if os.getpid() != self._process:  # of a fork, which a user's function made
            _signal.signal(number, _signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not self._works:
            os._exit(self._code)
        elif self._may_wait() and _imports(frame):
            self._later = True
            _thread.start_new_thread(self._stop_later, (number,))
        else:
            self._later, self._until, self.heard = False, 0.0, True
            raise KeyboardInterrupt

    def _may_wait(self) -> bool:
        now = time.monotonic()
        self._until = self._until or now + _IMPORT_SEC
        return not self._later and now < self._until

    def _stop_later(self, number: int) -> None:
        time.sleep(_AGAIN_SEC)
        if self._later:
            self._later = False
            os.kill(os.getpid(), number)


def _imports(frame: "FrameType | None") -> bool:
    """Return whether a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False


stops = Stops()
"""Of the command line: nothing is handled before it takes over."""
