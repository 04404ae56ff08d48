"""The program that starts another one and lets nothing of it live on: neither after its end nor after its trial's.

It runs by its path, with the standard library alone, in a session of its own, and reads orders from a pipe. When the
other end of that closes, however that went, everything that the program has started is killed. On Linux that is every
descendant, also those that left the program's group or lost their parent; elsewhere the group.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

TERMINATE, STAND, GO_ON, KILL = b"T", b"S", b"C", b"K"
"""Orders: ask the program to end, let it stand still, let it go on, kill it."""
ENDED, NOT_STARTED = "ended", "not started"
"""What is said at the end: with the return code of the program, or with why it could not be started."""

_SUBREAPER = 36
_GONE_SEC = 10.0
"""How long what is killed is waited for; it may be stuck in the kernel, or be another user's."""
_PAUSE_SEC = 0.05


def main(control: int, status: int, command: list[str]) -> None:
    """Start a program, obey, and say how it ended.

    Args:
        control: reading end of the pipe with orders.
        status: writing end of the pipe for what is said.
        command: the program and its arguments.
    """
    _adopt()
    for fd in (control, status):
        os.set_inheritable(fd, False)
    wake, woken = os.pipe()
    for fd in (wake, woken):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as Slurm sends it to every process
    program, error = _start(command)
    if error:
        os.write(status, f"{NOT_STARTED} {error}".encode())
        return
    devnull = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(devnull, fd)
    code = None
    while (code := _reaped(program, code)) is None:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            os.read(wake, 64)
        if control in ready and not _obey(program, os.read(control, 1)):
            code = _reaped(program, None)
            break
    else:
        _kill(program)
    if code is not None:
        os.write(status, f"{ENDED} {code}".encode())


def _adopt() -> None:
    """Become the parent of descendants that lose theirs."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _start(command: list[str]) -> tuple[int, str]:
    """Start the program in a session of its own; return its number, or why it could not be started."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(writing, (error.strerror or str(error)).encode())
        finally:
            os._exit(127)
    os.close(writing)
    why = os.read(reading, 4096).decode()  # ends when the program has begun: exec closes its end
    os.close(reading)
    return pid, why


def _reaped(program: int, code: "int | None") -> "int | None":
    """Collect children that have ended; return the code of the program, None while it runs."""
    with suppress(ChildProcessError):
        while True:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == program:
                code = os.waitstatus_to_exitcode(ended)
    return code


def _obey(program: int, order: bytes) -> bool:
    """Follow an order; return whether there may be another one, which there is not once the other end is closed."""
    if order in (KILL, b""):
        _kill(program)
    elif order == TERMINATE:
        _signal_group(program, signal.SIGTERM)
        _signal_all(program, signal.SIGCONT)
    else:
        _signal_all(program, signal.SIGSTOP if order == STAND else signal.SIGCONT)
    return bool(order)


def _signal_group(program: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program, number)


def _signal_all(program: int, number: int) -> None:
    """Send a signal to the group and to what has left it, again until nothing new has come."""
    _signal_group(program, number)
    done: set[int] = set()
    while new := descendants(os.getpid()) - done:
        for pid in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        done |= new


def _kill(program: int) -> None:
    """Kill everything, and wait a while until it is gone; the program is left for whoever asks for its code."""
    deadline, pause_sec = time.monotonic() + _GONE_SEC, 0.001
    while True:
        _signal_group(program, signal.SIGKILL)
        living = descendants(os.getpid())
        for pid in living:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not living or time.monotonic() > deadline:
            return
        for pid in living - {program}:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(pause_sec)
        pause_sec = min(2 * pause_sec, _PAUSE_SEC)


def descendants(root: int) -> set[int]:
    """Return the processes below one that have not ended; empty where the system does not say."""
    parents: dict[int, int] = {}
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (pathlib takes as long to import as all else)
    except OSError:
        return set()
    for name in numbers:
        with suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                parents[int(name)] = int(parent)
    found, left = set[int](), [root]
    while left:
        above = left.pop()
        below = [pid for pid, parent in parents.items() if parent == above and pid not in found]
        found.update(below)
        left += below
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
