"""A user's generator run as a trial."""

import math
from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Report, Started, TrialState
from hpsearch.trial.generator import MOST_PAUSED, PausedLoops, _paused, run_loop
from hpsearch.trial.own import OwnGenerator
from hpsearch.trial.surroundings import Surroundings
from tests.support.jobs import at, drive

METRIC = "valid/acc"


def epochs(*scores):
    yield from ({METRIC: score, "step": 10 * epoch} for epoch, score in enumerate(scores, 1))


def loop(reports):
    return OwnGenerator(lambda: reports, {}, Path(), Surroundings(0))


def test_reports_are_numbered_by_epoch_and_keep_their_step():
    messages, result = drive(run_loop(loop(epochs(0.5, 0.75)), METRIC, "folder"))
    started, *reports = messages
    assert isinstance(started, Started) and started.epoch is None
    assert [(each.epoch, each.step, dict(each.metrics)) for each in reports] == [
        (1, 10, {METRIC: 0.5}),
        (2, 20, {METRIC: 0.75}),
    ]
    assert result.state is TrialState.COMPLETE


def test_a_stop_ends_it_and_closes_the_generator():
    generator = epochs(0.5, 0.6, 0.7)
    messages, result = drive(run_loop(loop(generator), METRIC, "folder"), at(2, Decision.STOP))
    assert result.state is TrialState.PRUNED and messages[-1].epoch == 2
    assert next(generator, None) is None


def test_a_score_that_is_not_finite_ends_it_as_infeasible():
    messages, result = drive(run_loop(loop(epochs(0.5, math.nan, 0.7)), METRIC, "folder"))
    assert result.state is TrialState.INFEASIBLE and result.reason == f"{METRIC} is nan after epoch 2"
    assert messages[-1].epoch == 2


def test_a_paused_one_goes_on_where_it_stopped():
    _, result = drive(run_loop(loop(epochs(0.5, 0.6, 0.7)), METRIC, "paused here"), at(1, Decision.PAUSE))
    assert result.state is TrialState.PAUSED
    messages, result = drive(run_loop(_paused.pop("paused here"), METRIC, "paused here"))
    assert messages[0].epoch == 1 and [each.epoch for each in messages[1:]] == [2, 3]
    assert result.state is TrialState.COMPLETE


def test_of_too_many_paused_ones_the_oldest_is_closed():
    paused, generators = PausedLoops(), [epochs(0.5, 0.6) for _ in range(MOST_PAUSED + 1)]
    for place, generator in enumerate(generators):
        next(generator)
        paused.keep(str(place), loop(generator))
    assert list(paused) == [str(place) for place in range(1, MOST_PAUSED + 1)]
    assert next(generators[0], None) is None and next(generators[1]) == {METRIC: 0.6, "step": 20}


def test_a_whole_report_is_taken_as_it_is():
    messages, _ = drive(run_loop(loop(iter([Report(7, 70, {METRIC: 0.5})])), METRIC, "folder"))
    assert (messages[1].epoch, messages[1].step) == (7, 70)


def test_what_is_no_number_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"the training generator yielded 0\.9: it must be numbers by name"):
        drive(run_loop(loop(iter([0.9])), METRIC, "folder"))
