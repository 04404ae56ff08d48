"""One study in a fresh folder, started as a user starts it, and what a fault does to it."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil

from tests.faults.harness import marked
from tests.faults.harness.surroundings import Surroundings

ROOT = Path(__file__).resolve().parents[3]
LIMIT_SEC = 300.0
"""How long one command of such a small study may take before it counts as hung, on a busy machine too."""

PARTS = ("start", "middle", "end")


class Hung(Exception):
    """A command that did not end in time."""


class Run:
    """A study in `place`: its working folder, its own TMPDIR and cache, its processes, everything that it printed.

    Args:
        place: an empty or missing folder.
        surroundings: which study.
        seed: of every random choice.
        calm: the place of the undisturbed run of these surroundings, whose cache and duration are taken; None for that
            run itself.
    """

    def __init__(self, place: Path, surroundings: Surroundings, seed: str, calm: Path | None = None) -> None:
        self.place, self.surroundings, self.calm = place, surroundings, calm
        self.folder, self.tmp, self.cache = place / "work", place / "tmp", place / "cache"
        self.random, self.mark = random.Random(seed), uuid.uuid4().hex
        self.output, self.kept = place / "output.txt", place / "before"
        self.process: subprocess.Popen[bytes] | None = None
        self.codes: list[int] = []
        self.excused: dict[str, str] = {}
        """Of what a check finds, what is left out: an expression, by check."""
        self.only_alike = ""
        """Why the result cannot be the undisturbed one; then what is equal in both is compared."""
        self.complaints: list[str] = []
        self.twins: list[str] = []
        """Names of further studies that must be complete and like the first one in the end."""
        self.always: tuple[str, ...] = ()
        """Words that every further start has, as that of a server."""
        self.part = ""
        self.began_at = 0
        """Where in what was printed the last start begins."""
        self.cleanups: list[Callable[[], object]] = []
        self._write_files()
        self.environment = _environment(self.mark, self.tmp, self.cache)

    def _write_files(self) -> None:
        for folder in (self.folder, self.tmp):
            folder.mkdir(parents=True)
        if self.calm is not None and (self.calm / "cache").exists():
            shutil.copytree(self.calm / "cache", self.cache)
        for name, text in self.surroundings.files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    # what a kind does

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """Start the command of the surroundings, with more words of its own; `options` are those of `Popen`."""
        self.began_at = len(self.said())
        self.process = self.command(*_with(self.surroundings.words, (*self.always, *words)), **options)
        return self.process

    def command(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """Start ``python -m hpsearch WORDS`` in the folder; what it prints is checked with everything else."""
        with self.output.open("ab") as output:
            given = {"cwd": self.folder, "env": self.environment, "stdin": subprocess.DEVNULL}
            streams = {"stdout": output, "stderr": subprocess.STDOUT}
            line = [sys.executable, "-m", "hpsearch", *words]
            return subprocess.Popen(line, **{**given, **streams, "start_new_session": True, **options})  # type: ignore[call-overload]

    def moment(self, part: str | None = None) -> str:
        """Wait for a moment of the run, by what is on record rather than by the clock, and keep what is on record then.

        Args:
            part: "start" before the first trial, "middle" while they train, "end" after the last; None draws one.

        Returns:
            The part; the run may be over by then.
        """
        part = self.part = part or self.random.choice(PARTS)
        share, later = self.random.random(), self.random.uniform(0, 0.05)
        lines, began_sec, ended_sec = self._calm_times()
        if part == "start":
            time.sleep(share * began_sec)
        elif part == "middle":
            self.wait_until(lambda: self.lines() > share * lines)
            time.sleep(later)
        else:
            self.wait_until(lambda: self.lines() >= lines)
            time.sleep(share * ended_sec)
        self.keep()
        return part

    def keep(self) -> None:
        """Keep what is on record now: it must be there at the end, too."""
        shutil.rmtree(self.kept, ignore_errors=True)
        for file in sorted(self.folder.glob("studies/*/events/*.jsonl")):
            copy = self.kept / file.relative_to(self.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    def expect(self, *codes: int) -> int:
        """Wait for the end of the command, and hold against it an exit code that is not among these."""
        code = self.wait()
        if code not in codes:
            self.complaints.append(f"exit code {code} instead of {' or '.join(map(str, codes))}")
        return code

    def wait(self, limit_sec: float = LIMIT_SEC) -> int:
        """Wait for the end of the command, and return its exit code."""
        assert self.process is not None
        try:
            self.codes.append(self.process.wait(limit_sec))
        except subprocess.TimeoutExpired:
            raise Hung(f"still running after {limit_sec:.0f} s: {self.tail()}") from None
        return self.codes[-1]

    def kill(self, processes: Iterable[psutil.Process], number: int = signal.SIGKILL) -> None:
        """Send processes a signal, those that have gone by now left out."""
        marked.send(processes, number)

    def excuse(self, check: str, found: str, why: str) -> None:
        """Leave out of what a check finds what this fault causes by itself, a regular expression, and say why."""
        assert why
        self.excused[check] = found

    def in_trials(self, code: str) -> None:
        """Let every trial of one's own code run this after each epoch, until `as_before`."""
        (self.folder / "hostile.py").write_text(code)

    def as_before(self) -> None:
        """Let trials do what they did."""
        (self.folder / "hostile.py").unlink()

    def close(self) -> None:
        """End what the run has left, and undo what was done for it."""
        marked.end_all(self.mark)
        while self.cleanups:
            self.cleanups.pop()()

    # what there is

    @property
    def driver(self) -> list[psutil.Process]:
        """The process of the command, if it lives."""
        assert self.process is not None
        return [psutil.Process(self.process.pid)] if self.process.poll() is None else []

    @property
    def workers(self) -> list[psutil.Process]:
        """Worker processes, in the order in which they were started."""
        return [process for process in self.others if "program.py" not in marked.command(process)]

    @property
    def programs(self) -> list[psutil.Process]:
        """Programs that are trials."""
        return [process for process in self.others if "program.py" in marked.command(process)]

    @property
    def others(self) -> list[psutil.Process]:
        """Every process of the run but the driver, detached ones too."""
        own = self.process.pid if self.process else None
        return [process for process in marked.marked(self.mark) if process.pid != own]

    def lines(self) -> int:
        """Return how many events are on record."""
        return sum(file.read_bytes().count(b"\n") for file in self.folder.glob("studies/*/events/*.jsonl"))

    def said(self) -> str:
        """Return everything that the commands have printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def tail(self) -> str:
        """Return the last line of that."""
        return (self.said().strip().splitlines() or [""])[-1][:300]

    def wait_until(self, condition: Callable[[], bool], limit_sec: float = LIMIT_SEC) -> bool:
        """Wait until a condition holds, or the command has ended; return whether it holds."""
        deadline = time.monotonic() + limit_sec
        while not condition():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                return condition()
            time.sleep(0.01)
        return True

    def _calm_times(self) -> tuple[int, float, float]:
        assert self.calm is not None
        words = (self.calm / "times").read_text().split()
        return int(words[0]), float(words[1]), float(words[2])


def size_of(folder: Path) -> int:
    """Return how many bytes the files of a folder have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _with(words: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with more of them, before what stands after ``--``."""
    cut = words.index("--") if "--" in words else len(words)
    return (*words[:cut], *more, *words[cut:])


def _environment(mark: str, tmp: Path, cache: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MLFLOW", "COV_"))}
    ours = {marked.MARK: mark, "TMPDIR": str(tmp), "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)}
    return {**kept, **ours, "OMP_NUM_THREADS": "1"}
