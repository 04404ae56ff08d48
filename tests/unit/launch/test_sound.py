"""What loops of users say, which may make our records themselves."""

import math

import numpy as np
import pytest
import torch

from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Report, Started, TrialResult, TrialState
from hpsearch.launch.sound import sound


def clock():
    return 5.0


def test_a_sound_report_is_left_as_it_is():
    report = Report(0.5, 3, {"acc": 0.1, "loss": math.nan}, ((1, 0.5),), 7.0)
    assert sound(report, clock) is report


def test_numbers_of_others_are_made_numbers_of_python():
    said = Report(
        np.int64(1), np.float64(3.0), {"acc": torch.tensor(0.5), "\ud800": 10**400}, ((np.int8(1), 2),), "now"
    )
    made = sound(said, clock)
    assert made == Report(1, 3, {"acc": 0.5, r"\ud800": math.inf}, ((1, 2.0),), 5.0)
    assert [type(each) for each in (made.step, made.metrics["acc"], made.steps[0][0])] == [int, float, int]


WRONG = {
    "a metric": (Report(1, 1, {"acc": "0.5"}), "acc = '0.5'"),
    "no metric": (Report(1, 1, {"acc": None}), "acc = None"),
    "an epoch": (Report(-1, 1, {}), "epoch = -1"),
    "an endless epoch": (Report(math.inf, 1, {}), "epoch = inf"),
    "a step": (Report(1, 1.5, {}), r"step = 1\.5"),
    "a step that is nan": (Report(1, math.nan, {}), "step = nan"),
    "a fact": (TrialResult(TrialState.COMPLETE, facts={"size": [1, 2]}), r"size = \[1, 2\]"),
    "a score": (TrialResult(TrialState.COMPLETE, score="0.5"), "score = '0.5'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_must_be_a_number_and_is_none_is_refused(name):
    said, text = WRONG[name]
    with pytest.raises(HpsearchError, match=f"the trial said {text} in a {type(said).__name__}: it must be a number"):
        sound(said, clock)


def test_facts_and_reasons_can_be_written_down():
    made = sound(TrialResult(TrialState.PRUNED, "\ud800", "\udfff", facts={"a": np.float32(0.5), "b": "\ud800"}), clock)
    assert (made.reason, made.traceback, made.facts) == (r"\ud800", r"\udfff", {"a": 0.5, "b": r"\ud800"})
    assert sound(Started(None, {"c": torch.tensor(2)}, math.nan), clock) == Started(None, {"c": 2.0}, 5.0)
