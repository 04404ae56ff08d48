"""What differs by operating system or kind of device: the only place that asks which one this is.

Linux is what the checks run on. For macOS and Windows each function says which call stands in for which; the pages of
the documentation walk through them (``hpsearch/pages/platforms.md``).
"""

import importlib
import os
import platform
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

LINUX, MACOS, WINDOWS = sys.platform == "linux", sys.platform == "darwin", sys.platform == "win32"

REPLACE_SEC = 5.0
"""How long Windows is asked again to replace a file that somebody reads."""
STOP_SEC = 5.0
"""How long a process group has to end by itself."""

_WINDOWS_CRASH = 0x80000000
_WATCHED = """
import os, signal, sys
if not os.fork():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
_WATCHED_ON_WINDOWS = """
import os, subprocess, sys, threading
child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.DEVNULL)
def watch():
    os.read(0, 1)
    subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True)
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
os._exit(child.wait())
"""


def start_group(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a process at the head of a group of its own, so that Ctrl-C in the terminal reaches only the driver.

    Linux and macOS: a session. Windows: a process group, whose members ignore Ctrl-C.

    Args:
        command: program and arguments.
        **options: of `subprocess.Popen`.

    Returns:
        The process.
    """
    if WINDOWS:
        return subprocess.Popen(command, creationflags=0x00000200, **options)  # CREATE_NEW_PROCESS_GROUP
    return subprocess.Popen(command, start_new_session=True, **options)


def kill_group(pid: int) -> None:
    """Kill a process that `start_group` started, and everything that it started; gone ones do not matter.

    Windows has no signal for a group: the tree of its children is killed. While the driver holds the
    process open its number is given to no other process, so this finds the children of a dead one too.
    """
    if WINDOWS:
        _kill_tree(pid)
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of which only zombies are left
        os.killpg(pid, signal.SIGKILL)


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ask a group to end, kill what is left of it after `STOP_SEC`, and wait; Windows kills at once."""
    if not WINDOWS:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SEC)
    kill_group(process.pid)
    process.wait()


def kill_own_group() -> None:
    """End this process, which leads a group, and everything that it started, at once."""
    if WINDOWS:
        _kill_tree(os.getpid())
        os._exit(1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def stop_group(pid: int) -> None:
    """Let a group that `start_group` started stand still until it is continued or killed; gone ones do not matter.

    Only where `stops_groups`: a group that stands still hears of nothing but a kill, also not of the end of its driver.
    """
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGSTOP)


def continue_group(pid: int) -> None:
    """Let a group that stands still go on; gone ones do not matter."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGCONT)


def stops_groups() -> bool:
    """Return whether a group may stand still: where the kernel kills it with its driver, see `die_with`."""
    return LINUX


def _kill_tree(root: int) -> None:
    import psutil

    children: dict[int, list[Any]] = {}
    processes: Iterable[Any] = psutil.process_iter(["pid", "ppid"])
    for process in processes:
        children.setdefault(process.info["ppid"], []).append(process)
    doomed, left = [], [root]
    while left:
        below = [process for process in children.pop(left.pop(), []) if process.info["pid"] != os.getpid()]
        doomed += below
        left += [process.info["pid"] for process in below]
    if root != os.getpid():
        with suppress(psutil.Error):
            psutil.Process(root).kill()
    for process in doomed:
        with suppress(psutil.Error):
            process.kill()


def watched(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs Python with these arguments and kills its group when standard input ends.

    So a server ends with its driver, however that went. Windows cannot fork: there the watcher is the parent.
    """
    return [sys.executable, "-P", "-S", "-c", _WATCHED_ON_WINDOWS if WINDOWS else _WATCHED, *arguments]


def open_lifeline() -> tuple[int, int] | tuple[None, None]:
    """Return a pipe whose reading end a worker gets, see `die_with`; no pipe where the kernel offers nothing for it."""
    return os.pipe() if LINUX else (None, None)


def die_with(lifeline: int) -> None:
    """Let the kernel kill this process group, also while it stands still, when the other end of `lifeline` closes.

    One that is closed already kills it at once.

    A thread that reads from the driver sees the same, but only when native code lets go of the interpreter lock; on
    macOS and Windows it is all there is.
    """
    if not LINUX:
        return
    fcntl = importlib.import_module("fcntl")
    os.set_inheritable(lifeline, False)
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # nobody writes into it: what can be read is its end
        kill_own_group()


def close_in_children(fd: int) -> None:
    """Keep a descriptor from processes that user code forks; Windows has no fork, and its children inherit none."""
    if (register := getattr(os, "register_at_fork", None)) is not None:
        left = [fd]  # in a child of a child it is closed, and may be something else
        register(after_in_child=lambda: any(map(os.close, [left.pop() for _ in left[:]])))


def make_binary(*fds: int) -> None:
    """Pass bytes through these descriptors as they are: Windows would turn line feeds into two characters."""
    if WINDOWS:
        msvcrt = importlib.import_module("msvcrt")
        for fd in fds:
            msvcrt.setmode(fd, os.O_BINARY)  # type: ignore[attr-defined,unused-ignore]  # only there is it defined


def how_it_ended(code: int | None) -> str:
    """Return how a process ended, from its return code: a signal, on Windows the status of a crash, or an exit code."""
    if code is None or 0 <= code < _WINDOWS_CRASH:
        return f"ended with exit code {code}"
    if code >= _WINDOWS_CRASH:
        return f"crashed with status 0x{code:08X}"
    memory = " (as the kernel does when memory runs out)" if -code == 9 else ""
    return f"was killed by {_signal_name(-code)}{memory}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def stop_signals() -> tuple[int, ...]:
    """Return the signals that ask this program to stop: Ctrl-C, SIGTERM, a closed terminal, on Windows Ctrl-Break.

    So does SIGUSR1, which a job of Slurm is sent before its time is over (``--signal=USR1@SECONDS``). A closed terminal
    is none where it is ignored, as under ``nohup``.
    """
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGBREAK")]
    hangup = getattr(signal, "SIGHUP", None)
    ignored = hangup is not None and signal.getsignal(hangup) == signal.SIG_IGN
    return tuple(number for number in numbers if number is not None and not (ignored and number == hangup))


def longest_wait() -> float | None:
    """Return how long a queue may be waited for at a time: Windows runs no signal handler while a thread waits."""
    return 0.5 if WINDOWS else None


def sync_file(fd: int) -> None:
    """Wait until the disk has a file; macOS is asked to empty the drive's own buffer too."""
    if MACOS:
        fcntl = importlib.import_module("fcntl")
        with suppress(OSError):  # some file systems do not know the request
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's names; Windows cannot open a folder, some network file systems not sync it."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace(source: Path, target: Path) -> None:
    """Rename a file over another in one move.

    Windows refuses while somebody has the other one open: it is asked again for `REPLACE_SEC`.

    Raises:
        PermissionError: it may not be replaced.
    """
    deadline = time.monotonic() + REPLACE_SEC
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if not WINDOWS or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def move_folder(folder: Path, target: Path, held: str, last: str) -> Path:
    """Give a folder another name.

    Windows renames no folder in which a file is open: its content is moved instead.

    Args:
        folder: the folder.
        target: its new path, free.
        held: the file in it that this process holds open; it stays where it is on Windows.
        last: the file that is moved last, so that a crash in between leaves the folder recognizable.

    Returns:
        The new path.
    """
    if not WINDOWS:
        return folder.rename(target)
    target.mkdir()
    for path in sorted(folder.iterdir(), key=lambda path: path.name == last):
        if path.name != held:
            path.rename(target / path.name)
    return target


def boot_id() -> str:
    """Return what tells this run of the system from others: Linux numbers them, elsewhere the time of its start."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time()))


def usable_cores() -> int:
    """Return the logical cores that this process may use: its affinity mask where the system has one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def core_quota() -> int | None:
    """Return the cores that a Linux container may use, None without a limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def memory() -> tuple[int, int]:
    """Return the free and the whole memory in bytes, of the machine or of the Linux container."""
    import psutil

    machine = psutil.virtual_memory()
    free, total = int(machine.available), int(machine.total)
    with suppress(OSError, ValueError):  # without a limit it says "max"
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        free, total = min(free, limit - used), min(total, limit)
    return free, total


def processor_name() -> str:
    """Return the name of the processor: from Linux's list, by macOS's `sysctl`, or what Python knows."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    if MACOS:
        with suppress(OSError, subprocess.SubprocessError):
            asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    return platform.processor() or platform.machine()


def speak_utf8() -> None:
    """Print UTF-8 into files and pipes on Windows too, whose own code page lacks signs of our sentences."""
    if WINDOWS:
        for stream in (sys.stdout, sys.stderr):
            reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(encoding="utf-8", errors="replace")


def parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return a function's parameters by name, without evaluating its annotations.

    From Python 3.14 on annotations are evaluated when they are asked for, and fail there for names that stand under
    ``if TYPE_CHECKING``.
    """
    import inspect

    if sys.version_info >= (3, 14):
        formats: Any = importlib.import_module("annotationlib").Format
        signature: Callable[..., inspect.Signature] = inspect.signature
        return signature(function, annotation_format=formats.FORWARDREF).parameters
    return inspect.signature(function).parameters
