"""An interrupt in the midst of an import waits until it is over."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hpsearch.base.uninterrupted import uninterrupted

IMPORTS = """
import signal, sys
signal.signal(signal.SIGPROF, lambda *_: signal.raise_signal(signal.SIGINT))
signal.setitimer(signal.ITIMER_PROF, float(sys.argv[1]))
try:
    from hpsearch import run_search
except KeyboardInterrupt:
    print("interrupted")
from hpsearch import run_search
print("there")
"""


def test_an_interrupt_is_heard_at_the_end_of_the_block():
    done, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done and signal.getsignal(signal.SIGINT) is before


def test_an_error_passes_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ImportError), uninterrupted():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_left_alone():
    seen, before = [], signal.getsignal(signal.SIGINT)

    def enter():
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("after_sec", ["0.4"])
def test_a_name_of_hpsearch_whose_import_was_interrupted_can_be_imported_again(after_sec):
    words = [sys.executable, "-c", IMPORTS, after_sec]
    done = subprocess.run(words, cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert done.stdout.split() == ["interrupted", "there"], done.stderr
