"""What an interval of a mean over seeds counts: results of samples, groups, splits, or the seeds alone."""

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.samples import SampleResults
from hpsearch.base.types import Objective, TrialId, TrialTable
from hpsearch.reports.kit.evidence import StudyIntervals, margin_of
from hpsearch.reports.kit.points import points_of
from hpsearch.statistics.crossed import crossed_mean, share_interval
from hpsearch.statistics.intervals import mean_interval, splits_interval

RIGHT = np.random.default_rng(0).random((3, 200)) < np.asarray([[0.8], [0.85], [0.9]])
SCORES = RIGHT.mean(axis=1).tolist()
SEEDS = [(seed, 0) for seed in range(3)]
ACC, LOSS = Objective("valid/acc", share=True), Objective("valid/loss", "minimize")
GROUPS = np.repeat(np.arange(40), 5)


def study(samples=None, scores=SCORES, facts=None, objective=ACC, **data):
    """A study of one point, with the results of samples by seed."""
    trials = [
        {"point": 0, "seed": seed, "fold": 0, "state": "COMPLETE", "reason": "", "score": score,
         "data.train_size": 800, "data.valid_size": 200, **(facts or {})}
        for seed, score in enumerate(scores)
    ]  # fmt: skip
    fields = {"metric": objective.metric, "direction": objective.direction, "share": objective.share}
    record = {"config": {"data": data, "study": {"seeds": len(scores)}}, "objective": fields, "space": {}}
    found = {TrialId(0, seed): each for seed, each in enumerate(samples or [])}
    curves = pd.DataFrame([{"point": 0, "seed": 0, "fold": 0, "epoch": 1, "step": 1, "time": 0.0, "valid/acc": 0.9}])
    steps = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])
    return TrialTable("s", record, pd.DataFrame(trials), curves, steps, samples=found)


def results(rows=RIGHT, metric="valid/acc", units=None, unit="sample"):
    of = {} if units is None else {"valid": units}
    return [SampleResults({metric: row.astype(float)}, of, unit) for row in rows]


def known(table, objective=ACC, scores=SCORES):
    return StudyIntervals(table, objective).known(0, SEEDS[: len(scores)], scores)


def ends(interval):
    return pytest.approx((interval.low, interval.high))


def test_results_of_samples_count_seeds_and_samples():
    found, expected = known(study(results())), crossed_mean(RIGHT.astype(float), bounds=(0, 1)).interval
    assert (found.interval.low, found.interval.high) == ends(expected)
    assert found.write("E") == "95 % interval E over seeds and 200 validation samples"
    assert found.these == "on these 200 validation samples"


def test_a_group_counts_as_one():
    found = known(study(results(units=GROUPS, unit="group"), groups="patient"))
    expected = crossed_mean(RIGHT.astype(float), GROUPS, bounds=(0, 1)).interval
    assert (found.interval.low, found.interval.high) == ends(expected)
    assert found.over == "over seeds and 40 groups of validation samples"
    in_time = known(study(results(units=GROUPS, unit="block of time"), time="day"))
    assert in_time.over == "over seeds and 40 blocks of time of validation samples"


def test_without_results_a_share_is_conservative():
    found = known(study())
    assert (found.interval.low, found.interval.high) == ends(share_interval(SCORES, 200))
    assert found.write("E") == "95 % interval E over seeds and 200 validation samples, rather too wide"
    grouped = known(study(facts={"data.valid_units": 40}, groups="patient"))
    assert (grouped.interval.low, grouped.interval.high) == ends(share_interval(SCORES, 40))
    assert grouped.conservative and "40 groups" in grouped.over


def test_without_results_another_metric_is_over_the_seeds_on_these_samples():
    found = known(study(objective=LOSS), LOSS, [0.3, 0.4, 0.35])
    assert (found.interval.low, found.interval.high) == ends(mean_interval([0.3, 0.4, 0.35]))
    assert found.narrow and found.write("E") == "95 % t interval E over seeds, on these 200 validation samples"


@pytest.mark.parametrize(
    "samples",
    [
        [None, *results()[1:]],
        [*results()[:2], results(RIGHT[:, :100])[2]],
        [*results()[:2], results(~RIGHT)[2]],
        results(metric="valid/f1"),
        [*results()[:2], SampleResults({"valid/acc": np.full(200, np.nan)}, {})],
        [*results()[:2], results(units=GROUPS)[2]],
        [*results()[:2], SampleResults({"valid/acc": np.zeros(0)}, {})],
    ],
    ids=["one is gone", "of other samples", "not the score", "another metric", "nan", "other units", "empty"],
)
def test_results_that_do_not_fit_are_passed_over(samples):
    found = known(study(samples))
    assert found.conservative and (found.interval.low, found.interval.high) == ends(share_interval(SCORES, 200))


def test_two_seeds_have_no_interval_and_equal_seeds_that_of_the_samples():
    assert known(study(results()[:2], SCORES[:2]), scores=SCORES[:2]).interval is None
    same = known(study(results(RIGHT[[0, 0, 0]]), [SCORES[0]] * 3), scores=[SCORES[0]] * 3)
    assert same.interval.low < SCORES[0] < same.interval.high
    flat = np.ones((3, 200))
    assert known(study(results(flat), [1.0] * 3), scores=[1.0] * 3).interval is None


def test_splits_of_each_seeds_own_are_corrected():
    found = known(study(results(), split_seed="per_seed"))
    plain = splits_interval(SCORES, 800, 200)
    assert plain.high > 1
    assert (found.interval.low, found.interval.high) == (pytest.approx(plain.low), 1.0)
    half = (plain.high - plain.low) / 2
    assert half == pytest.approx(4.30265 * np.std(SCORES, ddof=1) * np.sqrt(1 / 3 + 200 / 800), rel=1e-4)
    assert "each with a split of its own" in found.over and not found.these


def test_results_are_read_only_where_an_interval_is_asked_for():
    reads = []

    class Counted(dict):
        def get(self, trial):
            reads.append(trial)
            return super().get(trial)

    table = study(results())
    table = TrialTable("s", table.study, table.trials, table.curves, table.steps, samples=Counted(table.samples))
    (point,) = points_of(table, [])
    assert not reads and point.interval is not None and len(reads) == 3
    assert point.interval.high and len(reads) == 3


def test_no_interval_passes_what_is_possible_and_rounding_is_no_width():
    f1 = Objective("valid/f1", share=True)
    scores = [0.99, 0.93, 1.0]
    plain, found = mean_interval(scores), known(study(scores=scores, objective=f1), f1, scores).interval
    assert plain.high > 1
    assert (found.low, found.high) == (pytest.approx(plain.low), 1.0)
    same = [0.3, 0.1 + 0.2, 0.3]
    assert known(study(scores=same, objective=f1), f1, same).interval is None


def test_the_interval_of_a_point_that_was_picked_reaches_further_to_its_worse_side():
    table = study(results())
    plain = known(table).interval
    for worse in (0.004, -0.004):
        point = points_of(table, [])[0]
        point.intervals.allow_for(worse)
        assert ends(point.interval) == (plain.low - max(worse, 0), plain.high - min(worse, 0))
    assert StudyIntervals(table, ACC).known(0, SEEDS, SCORES, optimism=2.0).interval.low == 0.0


def test_steps_of_samples_are_no_samples():
    """Without results of sentences a share of their words is that of as many sentences of one size."""
    facts = {"data.valid_steps": 1600, "data.valid_units": 150}
    found = known(study(facts=facts))
    assert (found.interval.low, found.interval.high) == ends(share_interval(SCORES, 150))
    assert found.conservative and found.over == "over seeds and 150 validation samples"
    assert StudyIntervals(study(), ACC).samples() == 200
    assert StudyIntervals(study(facts=facts), ACC).samples() is None
    assert margin_of(ACC, None) == 0
    assert known(study(results(), facts=facts)).over == "over seeds and 200 validation samples"
