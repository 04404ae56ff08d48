"""Counting the signals that ask a driver to stop."""

import multiprocessing
import os
import queue
import signal
import threading
import time

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.search.interrupts import interrupts, note_interrupt, saved_first


def test_the_second_interrupt_raises_and_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.count == 1
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_what_is_sent_twice_at_once_is_one_request_and_a_later_one_another(name, monkeypatch):
    number, now = getattr(signal, name), [100.0]
    monkeypatch.setattr("hpsearch.search.interrupts.time.monotonic", lambda: now[0])
    with interrupts() as asked:
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert asked.count == 1
        now[0] += 1.5
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            time.sleep(0)
        assert asked.count == 2


def test_the_first_interrupt_is_heard_at_once_and_not_said_by_the_handler_itself():
    heard = queue.SimpleQueue()
    with interrupts(lambda text: heard.put((text, threading.get_ident()))):
        os.kill(os.getpid(), signal.SIGINT)
        text, thread = heard.get(timeout=20)
    assert "once more to stop" in text
    assert thread != threading.get_ident()
    assert heard.empty()


def test_what_was_held_back_is_raised_when_everything_is_saved():
    done = []
    with pytest.raises(KeyboardInterrupt), saved_first("raise"):
        with interrupts():
            os.kill(os.getpid(), signal.SIGTERM)
        done.append("saved")
    with saved_first("return"), interrupts():
        os.kill(os.getpid(), signal.SIGINT)
    with saved_first("raise"), interrupts():
        thread = threading.Thread(target=note_interrupt)  # of a study in another thread
        thread.start()
        thread.join()
    assert done == ["saved"]
    with pytest.raises(ConfigError, match="on_interrupt = 'no'"), saved_first("no"):
        pass


def test_a_process_that_is_forked_inside_dies_of_a_signal_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with interrupts() as asked:
        fork = multiprocessing.get_context("fork")
        ready = fork.Event()
        child = fork.Process(target=lambda: (ready.set(), time.sleep(60)))
        child.start()
        assert ready.wait(60)
        child.terminate()
        child.join(20)
        assert child.exitcode == -signal.SIGTERM
        assert asked.count == 0
    assert signal.getsignal(signal.SIGTERM) is before
