"""What asks a command to stop: before it works, while it works, while it imports, and in what it forks."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hpsearch.base.stopping import INTERRUPTED, Stops, stops

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]


@pytest.fixture
def handled():
    """A handler that has taken over, as in a command."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    mine = Stops()
    mine.take_over()
    yield mine
    for number, handler in before.items():
        signal.signal(number, handler)


def forked(body):
    """Return the exit code of a fork that runs a function and then exits with 7."""
    if (pid := os.fork()) == 0:
        try:
            body()
        finally:
            os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_does_not_work_yet_exits_at_once(number):
    def body():
        mine = Stops()
        mine.take_over()
        os.kill(os.getpid(), number)

    assert forked(body) == INTERRUPTED == 130


def test_one_that_is_done_exits_with_its_own_code():
    def body():
        mine = Stops()
        mine.take_over()
        mine.work()
        assert mine.end(3) == 3
        os.kill(os.getpid(), signal.SIGTERM)

    assert forked(body) == 3


@pytest.mark.parametrize("number", SIGNALS)
def test_one_that_works_is_interrupted(handled, number):
    handled.work()
    assert not handled.heard
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    assert handled.heard


def test_an_import_is_not_cut_and_a_second_time_is(handled, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "asked_once.py").write_text(text + "done = True\n")
    (tmp_path / "asked_twice.py").write_text(text + "os.kill(os.getpid(), signal.SIGINT)\ndone = True\n")
    handled.work()
    with pytest.raises(KeyboardInterrupt):
        __import__("asked_once")
        time.sleep(60)
    assert sys.modules["asked_once"].done
    with pytest.raises(KeyboardInterrupt):
        __import__("asked_twice")
    assert "asked_twice" not in sys.modules


def test_a_fork_dies_of_the_signal(handled):
    handled.work()
    assert forked(lambda: os.kill(os.getpid(), signal.SIGTERM)) == -signal.SIGTERM


def test_the_end_of_a_terminal_is_ignored_under_nohup():
    def body():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        Stops().take_over()
        os.kill(os.getpid(), signal.SIGHUP)

    assert forked(body) == 7


def test_importing_the_package_handles_nothing():
    text = "import hpsearch, hpsearch.cli, signal; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout == "True\n"
    assert signal.getsignal(signal.SIGINT) is not stops
