"""Counting the signals that ask a driver to stop."""

import multiprocessing
import os
import signal
import time

import pytest

from hpsearch.search.interrupts import interrupts


def test_the_second_interrupt_raises_and_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.count == 1
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


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
