"""A user's generator run as a trial."""

import math
from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Report, Started, TrialState
from hpsearch.trial.generator import run_code
from hpsearch.trial.own import OwnGenerator
from hpsearch.trial.surroundings import Surroundings
from hpsearch.trial.waiting import Waiting
from tests.support.jobs import at, drive, make_own_spec

METRIC = "valid/acc"


def epochs(*scores):
    yield from ({METRIC: score, "step": 10 * epoch} for epoch, score in enumerate(scores, 1))


def loop(reports):
    return OwnGenerator(lambda: reports, METRIC, {}, Path(), Surroundings(0))


def test_reports_are_numbered_by_epoch_and_keep_their_step():
    messages, result = drive(run_code(loop(epochs(0.5, 0.75)), make_own_spec(), Waiting()))
    started, *reports = messages
    assert isinstance(started, Started) and started.epoch is None
    assert [(each.epoch, each.step, dict(each.metrics)) for each in reports] == [
        (1, 10, {METRIC: 0.5}),
        (2, 20, {METRIC: 0.75}),
    ]
    assert result.state is TrialState.COMPLETE


def test_a_stop_ends_it_and_closes_the_generator():
    generator = epochs(0.5, 0.6, 0.7)
    messages, result = drive(run_code(loop(generator), make_own_spec(), Waiting()), at(2, Decision.STOP))
    assert result.state is TrialState.PRUNED and messages[-1].epoch == 2
    assert next(generator, None) is None


def test_a_score_that_is_not_finite_ends_it_as_infeasible():
    messages, result = drive(run_code(loop(epochs(0.5, math.nan, 0.7)), make_own_spec(), Waiting()))
    assert result.state is TrialState.INFEASIBLE and result.reason == f"{METRIC} is nan after epoch 2"
    assert messages[-1].epoch == 2


def test_a_paused_one_goes_on_where_it_stopped():
    waiting, spec = Waiting(), make_own_spec("here")
    _, result = drive(run_code(loop(epochs(0.5, 0.6, 0.7)), spec, waiting), at(1, Decision.PAUSE))
    assert result.state is TrialState.PAUSED
    messages, result = drive(run_code(waiting.take("here", 2), spec, waiting))
    assert messages[0].epoch == 1 and [each.epoch for each in messages[1:]] == [2, 3]
    assert result.state is TrialState.COMPLETE


def test_it_is_closed_when_everything_ends():
    generator, waiting = epochs(0.5, 0.6, 0.7), Waiting()
    _, result = drive(run_code(loop(generator), make_own_spec("here"), waiting), at(1, Decision.LEAVE))
    assert (result.state, result.reason) == (TrialState.PAUSED, "paused after epoch 1")
    assert waiting.take("here", 2) is None and next(generator, None) is None


def test_a_whole_report_is_taken_as_it_is():
    messages, _ = drive(run_code(loop(iter([Report(7, 70, {METRIC: 0.5})])), make_own_spec(), Waiting()))
    assert (messages[1].epoch, messages[1].step) == (7, 70)


def test_what_is_no_number_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"the training generator yielded 0\.9: it must be numbers by name"):
        drive(run_code(loop(iter([0.9])), make_own_spec(), Waiting()))
