"""Counting the signals that ask a driver to stop."""

import os
import signal

import pytest

from hpsearch.search.interrupts import interrupts


def test_the_second_interrupt_raises_and_handlers_are_restored():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.count == 1
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
