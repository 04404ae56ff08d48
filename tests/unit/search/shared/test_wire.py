import math
from dataclasses import fields, replace

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Given, Query, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Reported
from hpsearch.search.shared.wire import _SENT, KILL, event_from, event_texts, spec_from, spec_text, told_from, told_text

TRIAL = TrialId(7, 1, 2)
SPEC = TrialSpec("s", TRIAL, {"secret": "hunter2"}, {"x": 0.1}, ("x=0.1",), "key", "/there/trials/7-1-2", attempt=3)


def made(point, params, seed, fold):
    return replace(SPEC, id=TrialId(point, seed, fold), params=params, folder="/here/trials/7-1-2", attempt=1)


@pytest.mark.parametrize(
    "event",
    [
        Reported(TRIAL, Started(None, {"device": "cpu", "parameters": 3}, 1.5)),
        Reported(TRIAL, Report(0.5, 10, {"loss": math.inf}, ((1, 2.0),), 3.0, "why", ((9, {"loss": 1.0}),))),
        Reported(TRIAL, Query("x", '{"name": "FloatDistribution"}')),
        Ended(TRIAL, TrialResult(TrialState.FAILED, "r", "t", {"a": 1}, ("f",), False, 2.0, "E:1", {"k": 3.0}, 0.5)),
        Died(4, (TRIAL,), "signal 9\nlast words", TrialId(8, 0)),
        Died(4, (TRIAL,), "signal 9"),
    ],
)
def test_an_event_comes_back_as_it_was(event):
    ((trial, text),) = event_texts(event).items()
    assert event_from(trial, 4, text) == event


def test_what_is_not_a_number_stays_so():
    ((_, text),) = event_texts(Reported(TRIAL, Report(1, 10, {"loss": math.nan}))).items()
    assert math.isnan(event_from(TRIAL, 0, text).message.metrics["loss"])


@pytest.mark.parametrize("told", [*Decision, Given(8), Given(error="no"), Given([1, 2]), KILL])
def test_a_decision_comes_back_as_it_was(told):
    assert told_from(told_text(told)) == told


def test_a_trial_is_made_where_it_is_trained_and_its_configuration_is_not_sent():
    spec = replace(SPEC, code="c", data="d", files="f", purpose="confirm", judged=False)
    text = spec_text(spec)
    assert "hunter2" not in text
    assert spec_from(TRIAL.stem, text, made) == replace(spec, folder="/here/trials/7-1-2")


def test_a_trial_that_would_be_another_one_here_is_refused():
    with pytest.raises(ConfigError, match=r"trial s/7/1/2 has another configuration here \(other\)"):
        spec_from(TRIAL.stem, spec_text(SPEC), lambda *point: replace(made(*point), key="other"))


def test_whatever_a_worker_needs_is_sent_or_made_by_the_driver_that_trains():
    here = {"study", "id", "config", "overrides", "folder", "source", "targets"}
    alone = {"width", "replayed"}  # a trial that is handed out is trained by itself, and anew
    assert {each.name for each in fields(TrialSpec)} == here | alone | {"params", "key", *_SENT}
