"""One fault from its start to its verdict, and the undisturbed run that it is held against."""

import os
import re
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.faults.harness.checks import CHECKS, Evidence
from tests.faults.harness.facts import facts, recorded, widths
from tests.faults.harness.marked import command, wait_gone
from tests.faults.harness.registry import Kind
from tests.faults.harness.run import Hung, Run
from tests.faults.harness.surroundings import Same, Surroundings

TIMES = 3
"""How often the same command may have to be given until the study is complete."""
GONE_SEC = 10.0
"""How long processes may take to notice that their driver is dead, on a busy machine too."""
NOT_SENT = "not everything reached the tracking store"
LEFT_OVER = ("*.tmp", "*.new", "*.part", "*.lock", "*-journal", "*-wal", "*-shm", "core", "core.*")
"""`studies/NAME/lock`, `owner.json` and `optuna.journal` are no leftovers: a finished study keeps them on purpose."""


@dataclass(frozen=True)
class Fault:
    """One fault of a campaign."""

    index: int
    kind: Kind
    surroundings: Surroundings
    seed: str


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

    index: int
    kind: str
    surroundings: str
    failed: tuple[str, ...]
    seconds: float
    skipped: str = ""
    part: str = ""
    """When it came: at the start, in the middle or at the end of the run."""
    codes: tuple[int, ...] = ()
    """Exit codes of the commands, in order: those that the fault ended, and those that completed the study."""


def put_through(fault: Fault, folder: Path) -> Verdict:
    """Let a fault happen in a folder of its own, complete the study, and check; the folder stays on failure."""
    began = time.monotonic()
    if why := fault.kind.missing():
        return Verdict(fault.index, fault.kind.name, fault.surroundings.name, (), 0.0, why)
    place = folder / f"fault-{fault.index}"
    shutil.rmtree(place, ignore_errors=True)
    run = Run(place, fault.surroundings, fault.seed, calm_run(fault.surroundings, folder))
    failed = tuple(_failures(run, fault.kind))
    if not failed:
        shutil.rmtree(place, ignore_errors=True)
    return Verdict(
        fault.index,
        fault.kind.name,
        fault.surroundings.name,
        failed,
        time.monotonic() - began,
        part=run.part,
        codes=tuple(run.codes),
    )


def _failures(run: Run, kind: Kind) -> list[str]:
    try:
        kind.inject(run)
        orphans = _complete(run)
        return run.complaints + list(failures(evidence(run, orphans), run.excused))
    except Hung as hung:
        return [*run.complaints, f"hung: {hung}"]
    except Exception as error:  # what a fault left cannot be read, or the kind itself is wrong: both are for a reader
        return [*run.complaints, f"harness: {error!r} at {_place(error)}"]
    finally:
        run.close()


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))


def _complete(run: Run) -> list[str]:
    """Wait for the disturbed command, then give it again until it is complete; return who outlived one of them.

    What a process that was killed left over goes with the next command of the folder, so that one more is given.
    """
    if run.process is not None and run.process.returncode is None:
        run.wait()
    orphans = _outliving(run)
    for _ in range(TIMES):
        if _is_complete(run) and not any(True for _ in left_over(run)):
            break
        run.start()
        run.wait()
        orphans += _outliving(run)
    return orphans


def _is_complete(run: Run) -> bool:
    """Return whether the last command ended well, with a report, and left nothing for a server that was away."""
    done = bool(run.codes) and run.codes[-1] == 0 and (run.folder / "studies" / "s" / "report.html").exists()
    return done and NOT_SENT not in run.said()[run.began_at :]


def _outliving(run: Run) -> list[str]:
    return [f"{process.pid} {command(process)[:120]}" for process in wait_gone(run.mark, GONE_SEC)]


def evidence(run: Run, orphans: list[str]) -> Evidence:
    """Collect what the checks look at."""
    assert run.calm is not None
    before, now = widths(run.kept), widths(run.folder)
    return Evidence(
        now=facts(run.folder),
        calm=facts(run.calm / "work"),
        before=recorded(run.kept),
        again=frozenset(name for name in before if now.get(name) != before[name]),
        same=_same(run),
        twins=tuple(run.twins),
        codes=tuple(run.codes),
        orphans=tuple(orphans),
        leftovers=tuple(left_over(run)),
        output=run.said(),
        logs=dict(_logs(run)),
    )


def _same(run: Run) -> Same:
    if run.only_alike:
        return Same.ALIKE
    if run.surroundings.same is not Same.ALL_IN_ONE:
        return run.surroundings.same
    return Same.ALIKE if len(run.codes) > 1 or "trying again" in run.said() else Same.ALL


def left_over(run: Run) -> Iterator[str]:
    """Yield what a complete study has no use for: anything in TMPDIR, temporary names in the folder and the cache."""
    yield from (f"TMPDIR/{path.name}" for path in sorted(run.tmp.iterdir()))
    for top in (run.folder, run.cache):
        for path in sorted(top.rglob("*")):
            if any(fnmatch(path.name, pattern) for pattern in LEFT_OVER):
                yield str(path.relative_to(run.place))


def _logs(run: Run) -> Iterator[tuple[str, str]]:
    for pattern in ("*.log", "log.txt"):
        for path in sorted(run.folder.rglob(pattern)):
            yield str(path.relative_to(run.folder)), path.read_text(errors="replace")


def failures(found: Evidence, excused: Mapping[str, str]) -> Iterator[str]:
    """Yield everything that is wrong, each with the name of its check, but what is excused of a check."""
    for name, check in CHECKS.items():
        for sentence in check(found):
            if name not in excused or not re.search(excused[name], sentence):
                yield f"{name}: {sentence}"


def calm_run(surroundings: Surroundings, folder: Path) -> Path:
    """Return the place of the undisturbed run of these surroundings; it is made where it is missing."""
    place = folder / "calm" / surroundings.name.replace(" ", "-")
    if not (place / "times").exists():
        shutil.rmtree(place, ignore_errors=True)
        _run_calmly(place, surroundings)
    return place


def _run_calmly(place: Path, surroundings: Surroundings) -> None:
    """Run the study and note how much it records, and how long it takes before its first and after its last event."""
    shared = place.parent / "cache"
    if shared.exists():
        shutil.copytree(shared, place / "cache")
    run, began = Run(place, surroundings, "calm"), time.monotonic()
    run.start()
    run.wait_until(lambda: run.lines() > 0)
    first, last, lines = time.monotonic(), time.monotonic(), 0
    while run.process is not None and run.process.poll() is None:
        time.sleep(0.02)
        if (now := run.lines()) != lines:
            last, lines = time.monotonic(), now
    ended = time.monotonic()
    if run.wait() != 0 or any(True for _ in left_over(run)):
        raise RuntimeError(f"undisturbed, '{surroundings.name}' fails or leaves {list(left_over(run))}:\n{run.said()}")
    if not shared.exists():
        _share(run.cache, shared)
    (place / "times").write_text(f"{lines} {first - began:.2f} {ended - last:.2f}\n")


def _share(cache: Path, shared: Path) -> None:
    """Copy a cache in one move: several undisturbed runs end at the same time."""
    copy = shared.with_name(f"cache-{os.getpid()}")
    shutil.copytree(cache, copy)
    with suppress(OSError):
        copy.rename(shared)
