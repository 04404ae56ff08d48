import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hpsearch.base.types import TrialState
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.sentences import answer
from hpsearch.statistics.crossed import share_interval
from hpsearch.statistics.optimism import expected_maximum
from tests.support import synthetic
from tests.support.scores import scored, with_states


def test_a_points_numbers_are_those_of_its_scores():
    values = [0.95, 0.97, 0.96]
    point = summarize(scored([values, [0.5, 0.5, 0.5]])).points[0]
    assert (point.n, point.trials, point.state) == (3, 3, TrialState.COMPLETE)
    assert point.mean == pytest.approx(statistics.mean(values))
    assert point.sd == pytest.approx(statistics.stdev(values))
    low, high = stats.t.interval(0.95, 2, loc=point.mean, scale=stats.sem(values))
    assert (point.interval.low, point.interval.high) == pytest.approx((low, high))
    assert point.replicates == ((0, 0), (1, 0), (2, 0))


@pytest.mark.parametrize(("direction", "best"), [("maximize", 2), ("minimize", 0)])
def test_the_best_point_follows_the_direction(direction, best):
    assert summarize(scored([[0.1, 0.2], [0.3, 0.3], [0.4, 0.5]], direction)).best.point == best


@pytest.mark.parametrize("state", ["PRUNED", "INFEASIBLE", "FAILED", "RUNNING", "WAITING", "PAUSED"])
def test_only_points_with_every_replicate_complete_can_be_best(state):
    summary = summarize(with_states(scored([[0.5, 0.5], [0.9, 0.9]]), {(1, 1): (state, "why")}))
    assert summary.best.point == 0
    assert summary.points[1].state is TrialState[state]
    assert summary.points[1].mean is None  # the mean of the survivors is not the point's


def test_a_point_without_all_its_replicates_cannot_be_best():
    assert summarize(scored([[0.5, 0.5], [0.9]])).best.point == 0
    assert summarize(scored([[0.5], [0.9]], asked=3)).best is None


def test_a_score_that_is_nan_does_not_count():
    assert summarize(scored([[0.5, 0.5], [0.9, math.nan]])).best.point == 0


def test_failed_outweighs_infeasible_and_unfinished_outweighs_both():
    states = {(0, 0): ("INFEASIBLE", "diverged"), (0, 1): ("FAILED", "x"), (0, 2): ("COMPLETE", "")}
    assert summarize(with_states(scored([[1.0, 1.0, 1.0]]), states)).points[0].state is TrialState.FAILED
    states[0, 2] = ("RUNNING", "")
    assert summarize(with_states(scored([[1.0, 1.0, 1.0]]), states)).points[0].state is TrialState.RUNNING


def test_ties_go_to_the_smaller_spread_and_are_named():
    summary = summarize(scored([[0.4, 0.6], [0.5, 0.5], [0.3, 0.3], [0.25, 0.75]]))
    assert summary.best.point == 1
    assert [p.point for p in summary.ties] == [0, 3]


def sized(table, size=300, **data):
    """The study with validation samples of its own, and settings of its data."""
    config = {**table.study["config"], "data": {**table.study["config"]["data"], **data}}
    trials = table.trials.assign(**{"data.valid_size": size})
    return replace(table, trials=trials, study={**table.study, "config": config})


def test_the_interval_of_an_accuracy_counts_the_validation_samples():
    table = scored([[0.90, 0.92, 0.91], [0.5, 0.6, 0.55]])
    point, plain = summarize(sized(table)).best, summarize(table).best
    expected = share_interval([0.90, 0.92, 0.91], 300)
    assert (point.interval.low, point.interval.high) == (expected.low, expected.high)
    assert point.samples == 300 and plain.samples is None
    assert point.interval.high - point.interval.low > plain.interval.high - plain.interval.low
    assert "over seeds and 300 validation samples, rather too wide)" in answer(summarize(sized(table)))


def test_samples_that_do_not_stand_for_themselves_or_differ_are_not_counted():
    table = scored([[0.90, 0.92, 0.91], [0.5, 0.6, 0.55]])
    several = sized(table).trials.assign(fold=[0, 1, 2] * 2, seed=0)
    loss = {**table.study, "objective": {"metric": "valid/loss", "direction": "minimize", "reduce": "last"}}
    for other in (
        sized(table, groups="patient"),
        sized(table, time="day"),
        sized(table, size=[300] * 5 + [301]),
        replace(sized(table), trials=several),
        sized(replace(table, study=loss)),
    ):
        assert {point.samples for point in summarize(other).points} == {None}
        assert "t interval" in answer(summarize(other))


def folded(scores, seeds, folds):
    """One point whose scores are of every seed and fold, by seed."""
    table = scored([scores])
    trials = table.trials.assign(seed=np.repeat(range(seeds), folds), fold=list(range(folds)) * seeds)
    config = {**table.study["config"], "study": {"seeds": seeds}, "data": {"folds": folds}}
    return summarize(replace(table, trials=trials, study={**table.study, "config": config}))


def test_folds_of_three_seeds_count_as_one_mean_each():
    scores = [0.8, 0.9, 0.84, 0.91, 0.7, 0.88]
    best = folded(scores, 3, 2).best
    low, high = stats.t.interval(0.95, 2, loc=np.mean(scores), scale=stats.sem([0.85, 0.875, 0.79]))
    assert (best.interval.low, best.interval.high) == pytest.approx((low, high))
    assert "over the means of seeds)" in answer(folded(scores, 3, 2))


def test_folds_of_one_seed_are_corrected_for_the_samples_they_share():
    scores = [0.8, 0.9, 0.84, 0.91, 0.7]
    best = folded(scores, 1, 5).best
    half = stats.t.ppf(0.975, 4) * np.std(scores, ddof=1) * math.sqrt(1 / 5 + 1 / 4)
    assert best.interval.high - best.interval.low == pytest.approx(2 * half)
    assert "over folds, corrected for the samples that they share)" in answer(folded(scores, 1, 5))


def test_two_seeds_and_equal_scores_have_no_interval():
    two = summarize(scored([[0.90, 0.92], [0.5, 0.6]]))
    assert two.best.interval is None and "n = 2 seeds, too few for an interval)" in answer(two)
    equal = summarize(scored([[0.9, 0.9, 0.9], [0.5, 0.6, 0.4]]))
    assert equal.best.interval is None and "n = 3 seeds, no spread, so no interval)" in answer(equal)


def test_one_seed_has_no_spread_and_compares_nothing():
    summary = summarize(scored([[0.5], [0.9]]))
    assert (summary.best.sd, summary.best.interval, summary.standing, summary.optimism) == (None, None, None, None)


def test_optimism_is_the_expected_maximum_in_standard_errors():
    summary = summarize(scored([[0.1, 0.3], [0.5, 0.7], [0.2, 0.4]]))
    error = statistics.stdev([0.1, 0.3]) / math.sqrt(2)
    assert summary.optimism == pytest.approx(expected_maximum(3) * error)


@pytest.mark.parametrize(("best", "side"), [(0, "low"), (5, None), (12, "high")])
def test_a_best_value_in_the_outer_tenth_lies_at_an_edge(best, side):
    scores = [[0.9 if i == best else 0.5] for i in range(13)]
    assert summarize(scored(scores)).at_edge == ({"optimizer.lr": side} if side else {})


def test_a_choice_of_two_has_no_edge():
    assert summarize(scored([[0.5], [0.9]])).at_edge == {}


@pytest.mark.parametrize(("key", "side"), [("optimizer.momentum", {}), ("args.x", {"args.x": "low"})])
def test_nothing_lies_below_a_momentum_of_zero(key, side):
    table = scored([[0.9], [0.5], [0.4]])
    trials = table.trials.assign(**{key: table.trials["point"] * 0.4}).drop(columns="optimizer.lr")
    study = {**table.study, "space": {key: "interval(0, 1)"}}
    assert summarize(replace(table, trials=trials, study=study)).at_edge == side


def test_states_and_times_are_counted():
    table = synthetic.sweep()
    summary = summarize(table)
    assert summary.states == {TrialState.COMPLETE: 33, TrialState.INFEASIBLE: 6}
    assert summary.trial_sec == pytest.approx(table.trials.duration_sec.sum())
    assert summary.wall_sec == pytest.approx(table.trials.ended.max() - table.trials.started.min())


def test_pruned_scores_are_kept_apart():
    summary = summarize(with_states(scored([[0.5], [0.9]]), {(1, 0): ("PRUNED", "median")}))
    assert (summary.points[1].mean, summary.points[1].partial) == (None, 0.9)


def test_a_store_without_values_reads_as_nothing():
    table = scored([[0.5], [0.9]])
    trials = table.trials.assign(score=None, started=None, ended=None, duration_sec=None, state="WAITING", reason=None)
    summary = summarize(replace(table, trials=trials))
    assert (summary.best, summary.trial_sec, summary.wall_sec) == (None, 0.0, 0.0)


def test_an_empty_study():
    summary = summarize(synthetic.empty())
    assert (summary.points, summary.best, summary.main) == ((), None, None)
