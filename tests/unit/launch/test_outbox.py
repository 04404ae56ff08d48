import threading

import pytest

from hpsearch.launch.frames import ALONE, EVENTS
from hpsearch.launch.outbox import GATHER_SEC, Outbox


class Times:
    """An outbox whose time goes on by a tenth of what messages wait, but as told."""

    def __init__(self):
        self.now, self.sent = 100.0, []
        self.outbox = Outbox(lambda kind, messages: self.sent.append((kind, b"".join(messages))), lambda: self.now)

    def put(self, message, may_wait=True, kind=EVENTS, after=GATHER_SEC / 10):
        self.now += after
        self.outbox.put([message], may_wait, kind)
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def times(monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)  # nobody looks whether something waits too long
    return Times()


def test_messages_of_a_short_time_go_together_and_in_order(times):
    assert times.put(b"1") == [(EVENTS, b"1")]
    assert times.put(b"2") == times.put(b"3") == []
    assert times.put(b"4", after=GATHER_SEC) == [(EVENTS, b"234")]
    assert times.put(b"5", after=2 * GATHER_SEC) == [(EVENTS, b"5")]


def test_one_that_may_not_wait_takes_them_along_at_once(times):
    times.put(b"1")
    assert times.put(b"2") == []
    assert times.put(b"3", may_wait=False, kind=ALONE) == [(ALONE, b"23")]
    assert times.put(b"4", may_wait=False) == [(EVENTS, b"4")]


def test_none_waits_for_the_next_one():
    sent, came = [], threading.Event()

    def send(_, messages):
        sent.append(messages)
        if len(sent) == 2:
            came.set()

    outbox = Outbox(send)
    outbox.put([b"1"], may_wait=True)
    outbox.put([b"2"], may_wait=True)
    assert came.wait(30) and sent == [[b"1"], [b"2"]]
