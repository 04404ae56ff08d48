"""The power goes: everything ends at once, and what was written last and not synced may be there, in part, or not."""

import os
import time
from pathlib import Path

from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import EVERYWHERE

WINDOW_SEC = 0.2
SYNCED = """
import os
_sync = os.fsync

def fsync(file):
    stat = os.fstat(file)
    _sync(file)
    with open({log!r}, "a") as log:
        log.write(f"{{stat.st_ino}} {{stat.st_size}}\\n")

os.fsync = fsync
"""
"""What the disk was waited for is safe: a note of every `os.fsync` says which bytes these are."""


def sizes(folder: Path) -> dict[int, int]:
    """Return the size of every file, by its number on the disk."""
    found = {}
    for path in folder.rglob("*"):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        if path.is_file():
            found[stat.st_ino] = stat.st_size
    return found


def noting(site: Path, log: Path) -> Path:
    """Make a folder for the import path, with which Python notes in a file what it waited for the disk for."""
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SYNCED.format(log=str(log)))
    return site


def synced(log: Path) -> dict[int, int]:
    """Return how many bytes of each file are safe."""
    words = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return {int(number): int(size) for number, size in words}


@kind("power cut", under=EVERYWHERE, ci=True)
def power_cut(run: Run) -> None:
    _cut(run)


@kind("power cut twice", under=EVERYWHERE)
def power_cut_twice(run: Run) -> None:
    _cut(run, again=True)
    _cut(run)


def _cut(run: Run, again: bool = False) -> None:
    log = run.place / "synced"
    path = os.pathsep.join([str(noting(run.place / "site", log)), run.environment["PYTHONPATH"]])
    run.start(env={**run.environment, "PYTHONPATH": path})
    run.moment()
    before = sizes(run.folder)
    time.sleep(WINDOW_SEC)
    run.kill([*run.driver, *run.others])
    run.wait()
    lose(run, before | synced(log))
    if not again:  # one that had ended before has lost something, too
        run.start()
        run.expect(0)


def lose(run: Run, safe: dict[int, int]) -> None:
    """Cut every file at a random byte between what is safe of it and its end; SQLite sees to its own files."""
    for path in sorted(run.folder.rglob("*")):
        if path.is_file() and not path.name.startswith("mlflow.db"):
            stat = path.stat()
            least = min(safe.get(stat.st_ino, 0), stat.st_size)
            os.truncate(path, run.random.randint(least, stat.st_size))
