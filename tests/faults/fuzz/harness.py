"""Entry points under fuzz: what is drawn for each, what its reading must mean, and bounds on time, memory and files."""

import faulthandler
import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from hpsearch.base import intake
from hpsearch.base.errors import LONGEST_LINE, HpsearchError
from tests.support.bounds import bounded_memory

MEMORY = 2**29
"""Bytes that reading anything may take, with the limits of `hpsearch.base.intake` lowered to `LOWERED`."""
LOWERED = {"UNPACKED_BYTES": 2**26, "PIXELS": 10**6}
HUNG_SEC = 5.0
"""Processor seconds that reading anything may take."""
ASLEEP_SEC = 300.0
"""Seconds after which what takes no processor time either is ended."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "shutil.rmtree")
_ACTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "socket.bind")


class Fault(Exception):
    """What no input may lead to: a hang, too much memory, a long or torn refusal, a file outside, a process."""


class Refusal(Exception):
    """One line that refuses the input."""


@dataclass(frozen=True)
class EntryPoint:
    """A door by which text or bytes come in.

    Attributes:
        name: of the door.
        drawn: what may come.
        check: reads one of them and compares what it means; it returns by the `Refusal` of `read` where it is refused.
        found: what was drawn once and led to a fault.
    """

    name: str
    drawn: SearchStrategy[Any]
    check: Callable[[Any], None]
    found: tuple[Any, ...] = ()


@dataclass
class Tally:
    """What came of the examples of an entry point; where `pending` is a file, it holds the one that is tried."""

    pending: Path | None = None
    examples: int = 0
    accepted: int = 0
    refused: int = 0
    longest_sec: float = 0.0
    said: set[str] = field(default_factory=set)


class _Hung(BaseException):
    pass


def _raise_hung(*_: Any) -> None:
    raise _Hung


_watched: Path | None = None
_seen: list[str] = []


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is None:
        return
    if event == "open":
        path, mode, flags = arguments
        writes = flags & _WRITES if isinstance(flags, int) else set(mode or "") & set("wax+")
        if writes and isinstance(path, str | bytes) and _is_outside(os.fsdecode(path)):
            _seen.append(f"{path!r} is opened for writing")
    elif event in _ACTS or (
        event in _CHANGES and any(isinstance(each, str) and _is_outside(each) for each in arguments[:2])
    ):
        _seen.append(f"{event} {arguments!r:.200}")


def _is_outside(path: str) -> bool:
    return "__pycache__" not in path and path != os.devnull and not Path(path).absolute().is_relative_to(_watched or "")


sys.addaudithook(_look)


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Refuse that anything is written outside a folder, or that a process is started."""
    global _watched
    _watched = folder
    _seen.clear()
    try:
        yield
    finally:
        _watched = None
    if _seen:
        raise Fault(_seen[0])


def read(reading: Callable[[], Any]) -> Any:
    """Return what a reading returns; a refusal of one line is a `Refusal`."""
    try:
        return reading()
    except HpsearchError as error:
        lines, code = str(error).split("\n"), error.exit_code
        several = len(error.args)
    if code != 2 or len(lines) != several or not all(line.strip() and len(line) <= LONGEST_LINE for line in lines):
        raise Fault(f"a refusal is no line, or a long one: {lines!r:.300}")
    text = lines[0]
    raise Refusal(text)


def same(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same: of the same types, in whatever order of keys, nan as itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or one != one)


@contextmanager
def limited_time() -> Iterator[None]:
    """End what takes too many processor seconds.

    Python's own code ends with a `Fault`. What runs native code, where no exception is raised, ends the process half as
    much later, and what sleeps after `ASLEEP_SEC`; the stack of Python is printed then.
    """
    before = signal.signal(signal.SIGPROF, _raise_hung)
    faulthandler.register(signal.SIGVTALRM, sys.__stderr__, all_threads=False, chain=True)
    faulthandler.dump_traceback_later(ASLEEP_SEC, exit=True, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_PROF, HUNG_SEC)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1.5 * HUNG_SEC)
    try:
        yield
    except _Hung:
        raise Fault(f"takes more than {HUNG_SEC:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


def tried(entry: EntryPoint, example: Any, tally: Tally) -> None:
    """Let one example in, in a fresh working folder."""
    before = Path.cwd()
    began = time.process_time()
    tally.examples += 1
    if tally.pending is not None:
        tally.pending.write_text(repr(example), "utf-8", "backslashreplace")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        os.chdir(folder)
        try:
            with bounded_memory(MEMORY), limited_time(), watched(Path(folder)):
                entry.check(example)
            tally.accepted += 1
        except Refusal as refusal:
            tally.refused += 1
            tally.said.add(str(refusal))
        finally:
            os.chdir(before)
    tally.longest_sec = max(tally.longest_sec, time.process_time() - began)


def fuzz(entry: EntryPoint, examples: int, number: int | None, pending: Path | None = None) -> Tally:
    """Try an entry point.

    Args:
        entry: the entry point.
        examples: how many are drawn.
        number: a seed; None: the same examples every time.
        pending: a file for the example that is tried, which stays there where the process is ended.

    Returns:
        What came of them; a fault is raised, of the smallest example that leads to it.
    """
    tally = Tally(pending)
    for example in entry.found:
        tried(entry, example, tally)

    @settings(
        max_examples=examples,
        derandomize=number is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if number is None else [Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(entry.drawn)
    def all_of(example: Any) -> None:
        tried(entry, example, tally)

    (all_of if number is None else seed(number)(all_of))()
    gc.collect()
    return tally


def peak_mib() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def lowered_limits() -> Iterator[None]:
    """Lower what is read at most, so that nothing unpacks a GiB."""
    kept = {name: getattr(intake, name) for name in LOWERED}
    try:
        for name, value in LOWERED.items():
            setattr(intake, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(intake, name, value)
