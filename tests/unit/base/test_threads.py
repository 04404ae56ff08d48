"""Threads that begin, or say that they cannot."""

import threading

import pytest

from hpsearch.base import threads
from hpsearch.base.errors import lacking
from hpsearch.base.threads import start_thread


def test_it_calls_with_arguments_and_ends_with_the_process():
    called = []
    thread = start_thread(called.append, 1, name="one")
    thread.join(20)
    assert (called, thread.name, thread.daemon, thread.is_alive()) == ([1], "one", True, False)


def test_one_that_finds_no_memory_as_it_begins_is_an_error_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(threads, "START_SEC", 0.02)
    monkeypatch.setattr(threading.Thread, "_bootstrap", lambda _: None)  # ends before it says that it runs
    with pytest.raises(RuntimeError, match="can't start new thread") as raised:
        start_thread(print, name="one")
    assert lacking(raised.value).startswith("the machine gives this process no more threads or memory")
