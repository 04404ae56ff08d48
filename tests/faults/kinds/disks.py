"""Disks that are full, read-only, out of inodes, or unmounted under a run."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.faults.harness.marked import limit
from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run, size_of
from tests.faults.harness.surroundings import EVERYWHERE, GRIDS, PROCESSES

FULL = "No space left on device|Read-only file system|File too large|fail at inline_container.cc"  # the last by torch
NOT_WRITTEN = "a trial's log tells what it could not write"
ROOM = 2**30
SOME = ("grid", "grid fused", "grid inline", "auto lockstep", "recipe", "ablation", "own code", "program")


def mounted(run: Run, folder: Path, options: str) -> None:
    """Put a small file system in the place of a folder, with what is in it; it goes when the fault is over."""
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    run.cleanups.append(lambda: _unmount(folder))
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _fill(folder: Path, room: int) -> None:
    """Leave a file system that much room, or more where somebody writes at the same time."""
    while subprocess.run(
        ["mount", "-o", f"remount,size={_used(folder) + room}", folder], check=False, capture_output=True
    ).returncode:
        room += 50_000


def _used(folder: Path) -> int:
    stat = os.statvfs(folder)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def _unmount(folder: Path) -> None:
    """End it, and leave what it held in the folder itself."""
    copy = folder.with_name(f"{folder.name}.copy")
    shutil.copytree(folder, copy, symlinks=True)
    subprocess.run(["umount", "-l", folder], check=True)
    shutil.rmtree(folder)
    copy.rename(folder)


def changed(folder: Path, options: str) -> None:
    """Give that file system another size or mode."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def _full(share: tuple[float, float], unit: str) -> Callable[[Run], None]:
    """Let the disk be full from a drawn share of what the study needs on."""

    def inject(run: Run) -> None:
        need = size_of(run.calm / "work") if unit == "size" else sum(1 for _ in (run.calm / "work").rglob("*"))
        mounted(run, run.folder, f"{unit}={max(1, int(run.random.uniform(*share) * need))}")
        run.start()
        run.wait()
        run.keep()
        run.excuse("no_traceback_is_logged", FULL, NOT_WRITTEN)
        changed(run.folder, f"{unit}={ROOM}")

    return inject


kind("disk full", under=SOME, root=True)(_full((0.1, 0.6), "size"))
kind("disk full at the start", under=SOME, root=True)(_full((0, 0.1), "size"))
kind("disk full at the end", under=SOME, root=True)(_full((0.6, 0.9), "size"))
kind("no inodes left", under=SOME, root=True)(_full((0.1, 0.95), "nr_inodes"))


@kind("disk full for a while", under=SOME, root=True)
def full_for_a_while(run: Run) -> None:
    mounted(run, run.folder, "size=1g")
    run.start()
    run.moment("middle")
    run.excuse("no_traceback_is_logged", FULL, NOT_WRITTEN)
    _fill(run.folder, run.random.randint(0, 200_000))
    run.wait_until(lambda: False, limit_sec=run.random.uniform(0, 2))
    changed(run.folder, "size=1g")


@kind("disk becomes read-only", under=SOME, root=True)
def becomes_read_only(run: Run) -> None:
    mounted(run, run.folder, "size=1g")
    run.start()
    run.moment("start")
    _read_only_until_the_end(run)


def _read_only_until_the_end(run: Run) -> None:
    run.excuse("no_traceback_is_logged", FULL, NOT_WRITTEN)
    if subprocess.run(["mount", "-o", "remount,ro", run.folder], check=False, capture_output=True).returncode == 0:
        run.wait()
        changed(run.folder, "rw")


@kind("read-only folder", under=SOME, root=True)
def read_only_folder(run: Run) -> None:
    mounted(run, run.folder, "size=1g")
    changed(run.folder, "ro")
    run.start()
    run.wait()
    changed(run.folder, "rw")
    if run.codes[-1] == 0:
        run.complaints.append("exit code 0 in a folder that nothing can be written into")


def _temporary(options: str) -> Callable[[Run], None]:
    def inject(run: Run) -> None:
        mounted(run, run.tmp, options)
        run.start()
        run.wait()
        changed(run.tmp, "size=1g,nr_inodes=100000")

    return inject


kind("TMPDIR full", under=PROCESSES, root=True)(_temporary("size=4096"))
kind("TMPDIR without inodes", under=PROCESSES, root=True)(_temporary("size=1g,nr_inodes=1"))


@kind("TMPDIR is no folder", under=PROCESSES)
def no_temporary_folder(run: Run) -> None:
    run.start(env={**run.environment, "TMPDIR": str(run.folder / "missing")})
    run.wait()


@kind("cache cannot be written", under=GRIDS)
def no_cache(run: Run) -> None:
    run.environment = {**run.environment, "XDG_CACHE_HOME": "/dev/null"}
    run.start()
    run.expect(0)


@kind("files of a limited size", under=EVERYWHERE)
def limited_files(run: Run) -> None:
    run.start()
    run.moment("middle")
    limit([*run.driver, *run.others], resource.RLIMIT_FSIZE, int(run.random.uniform(1000, 200_000)))
    run.excuse("no_traceback_is_logged", FULL, NOT_WRITTEN)
    run.wait()


@kind("few open files", under=EVERYWHERE)
def few_open_files(run: Run) -> None:
    run.start()
    run.moment("middle")
    limit(run.driver, resource.RLIMIT_NOFILE, run.random.randint(5, 40))
    run.wait()
