"""Which worker of a slot trains what."""

from dataclasses import dataclass, field

import pytest

from hpsearch.base.types import TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Ended
from hpsearch.launch.slot import Slot


@dataclass(eq=False)
class FakeWorker:
    sent: list[bytes] = field(default_factory=list)
    is_killed: bool = False

    def send(self, kind, payload=b""):
        self.sent.append(payload)

    def kill(self):
        self.is_killed = True


def train(slot, point, seat):
    spec = TrialSpec("study", TrialId(point, 0), {}, {}, (), f"key{point}", "")
    slot.train(f"{point}".encode(), seat, (spec,))


def end(slot, point, is_limited=False, **result):
    slot.end_trials([Ended(TrialId(point, 0), TrialResult(TrialState.COMPLETE, **result))], is_limited)


@pytest.fixture
def slot():
    return Slot(0, lambda _: FakeWorker(), FakeWorker())


def test_nothing_begins_beside_what_trains_where_a_hard_limit_was_lowered(slot):
    slot.seats, first = (0, 1), slot.shared
    train(slot, 0, seat=0)
    train(slot, 1, seat=1)
    end(slot, 0, is_limited=True)
    assert (slot.free, first.is_killed) == ([], False)
    end(slot, 1)
    assert slot.free == [0, 1]
    train(slot, 2, seat=0)
    assert (first.is_killed, first.sent, slot.shared.sent) == (True, [b"0", b"1"], [b"2"])
    assert slot.free == [1]


def test_what_waits_in_memory_under_a_lowered_hard_limit_begins_anew_like_all_others(slot):
    first = slot.shared
    train(slot, 0, seat=0)
    end(slot, 0, held=True)
    train(slot, 1, seat=0)
    end(slot, 1, is_limited=True)
    train(slot, 0, seat=0)
    assert (first.is_killed, slot.worker is slot.shared, slot.shared.sent) == (True, True, [b"0"])
