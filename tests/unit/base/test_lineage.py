"""What processes have started, in real ones."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpsearch.base import lineage, platform
from hpsearch.base.owners import started as started_at
from hpsearch.base.owners import this_process

pytestmark = pytest.mark.skipif(not platform.LINUX, reason="other systems find marked processes through psutil")

DETACHED = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.execvpe("sleep", ["sleep", "600"], dict(os.environ) if "marked" in sys.argv else {})
    os._exit(0)
os.wait()
time.sleep(600 * ("stays" in sys.argv))
"""
KEEPS = "from hpsearch.base import lineage; lineage.keep_descendants()\n" + DETACHED


@pytest.fixture
def run():
    """Run a program, and end it after the test."""
    processes = []

    def start(command, **options):
        processes.append(platform.start_group(command, stdout=subprocess.PIPE, **options))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def started(run):
    """Start a program that detaches another one; return both, the latter by its number."""
    pids = []

    def start(*words, mark="", program=DETACHED):
        environment = lineage.marked(os.environ, mark) if mark else dict(os.environ)
        process = run([sys.executable, "-c", program, *words], env=environment)
        pids.append(int(process.stdout.readline()))
        return process, pids[-1]

    yield start
    for pid in pids:
        is_gone(pid, 1)


def is_gone(pid, looks=100):
    """Return whether a process that nobody here waits for ends within a moment; one that does not is ended."""
    for _ in range(looks):
        if not Path(f"/proc/{pid}").exists() or b") Z" in Path(f"/proc/{pid}/stat").read_bytes():
            return True
        time.sleep(0.01)
    os.kill(pid, 9)
    return False


def test_what_carries_a_mark_is_ended_and_nothing_else(started):
    ours, others = lineage.new_mark(), lineage.new_mark()
    (parent, detached), (_, spared) = started("marked", mark=ours), started("marked", mark=others)
    parent.wait()
    lineage.end_marked(ours)
    assert is_gone(detached)
    assert started_at(spared)


@pytest.mark.parametrize(("prefix", "gone"), [(lambda mark: mark.rpartition(".")[0], True), (lambda m: m[:-1], False)])
def test_an_identity_stands_for_all_of_its_marks(started, prefix, gone):
    mark = lineage.new_mark()
    _, detached = started("marked", mark=mark)
    lineage.end_marked(prefix(mark))
    assert is_gone(detached) if gone else started_at(detached)


def test_a_mark_inside_another_stands_beside_it(run):
    inner = lineage.marked(lineage.marked({}, "outer"), "inner")
    assert inner == {lineage.MARK: "outer inner"}
    process = run(["sleep", "600"], env=inner)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:  # its environment is seen a moment after its start
        lineage.end_marked("outer")
    assert process.poll() == -9


def test_what_one_look_misses_the_next_one_finds(run, monkeypatch):
    process = run(["sleep", "600"])
    looks = iter([[], [(process.pid, ["outer"])], [], []])
    monkeypatch.setattr(lineage, "_marks", lambda: next(looks))
    lineage.end_marked("outer")
    assert process.wait(60) == -9


def test_what_a_driver_left_is_ended_once_the_driver_is_gone(run, started):
    driver = run(["sleep", "600"])
    known = str(replace(this_process(), pid=driver.pid, started=started_at(driver.pid)))
    _, detached = started("marked", mark=f"{known}.0")
    lineage.end_left_by(known)
    assert started_at(detached)
    driver.kill()
    driver.wait()
    lineage.end_left_by(known)
    assert is_gone(detached)


@pytest.mark.parametrize("known", ["", "None", "a.b.c", "x" * 100])
def test_no_driver_left_nothing(known, monkeypatch):
    monkeypatch.setattr(lineage, "end_marked", pytest.fail)
    lineage.end_left_by(known)


def test_what_left_its_group_without_an_environment_is_ended_with_its_tree(started):
    process, detached = started("stays", program=KEEPS)
    lineage.kill_tree(process.pid)
    assert process.wait() == -9 and is_gone(detached)
