from dataclasses import replace

import numpy as np
import pytest

from hpsearch.base.types import Objective
from hpsearch.reports.kit.evidence import by_seed, margin_of
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.sentences import answer, caveats
from hpsearch.statistics.best import set_of_best
from tests.support.scores import scored

NEAR = [[0.90, 0.94, 0.98], [0.91, 0.93, 0.97], [0.80, 0.84, 0.88]]


def test_points_that_may_be_as_good_are_named_and_worse_ones_are_not():
    standing = summarize(scored(NEAR)).standing
    assert ([p.point for p in standing.rivals], standing.variable, standing.compared) == ([1], (), 3)
    assert standing.freedom == 4


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_direction_decides_which_end_is_best(direction):
    sign = 1 if direction == "maximize" else -1
    summary = summarize(scored([[sign * v for v in row] for row in NEAR], direction))
    assert summary.best.point == 0 and [p.point for p in summary.standing.rivals] == [1]
    assert f"has the {'highest' if sign == 1 else 'lowest'} valid/acc" in answer(summary)


def clause(scores):
    """Return what the answer says after the interval of the best."""
    return answer(summarize(scored(scores))).split("interval ")[1].split("); ")[1].split(";")[0].rstrip(".")


STEP = (0.0, 0.01, -0.01)


def level(mean, turn):
    return [mean + STEP[(seed + turn) % 3] for seed in range(3)]


def test_neighbours_of_the_best_are_a_range():
    assert clause([level(0.5, 0), level(0.9, 1), level(0.905, 2), level(0.9, 0)]) == "0.02 to 0.08 may be as good"


def test_values_that_are_no_neighbours_are_named():
    assert clause([level(0.9, 0), level(0.5, 1), level(0.905, 2), level(0.5, 0)]) == "0.01 may be as good"


def test_many_values_that_are_no_neighbours_are_counted():
    high = [level(0.9 + 0.001 * i, i) for i in range(5)]
    assert clause([*high, level(0.5, 1), level(0.9, 1)]) == "5 other values may be as good"


def test_where_none_may_be_as_good_it_is_said():
    assert clause([level(0.9, 0), level(0.5, 1), level(0.4, 2)]) == "every other value is worse"


def test_a_point_that_scatters_too_much_is_not_called_worse():
    scores = [level(0.9, 0), level(0.5, 1), level(0.4, 2), level(0.45, 0), level(0.3, 1), [0.1, 0.9, 0.5]]
    summary = summarize(scored(scores))
    assert [p.point for p in summary.standing.variable] == [5]
    assert clause(scores) == "every other value that can be ranked is worse"
    assert any(line.startswith("Too variable to be ranked") and line.endswith("0.32.") for line in caveats(summary, {}))


def test_a_highest_mean_that_scatters_too_much_is_not_believed():
    scores = [level(0.9, 0), level(0.89, 1), level(0.4, 2), level(0.45, 0), level(0.3, 1), [0.95, 1.9, 0.1]]
    summary = summarize(scored(scores))
    assert summary.best.point == 5
    assert [p.point for p in summary.standing.rivals] == [0, 1]
    assert clause(scores) == "it scatters too much over the seeds to be ranked"


def test_points_of_other_seeds_are_not_compared():
    assert summarize(scored([[0.5, 0.6]])).standing is None


def test_folds_are_compared_by_the_means_of_seeds_or_corrected_for_what_they_share():
    scores = np.random.default_rng(0).normal(size=(4, 6))
    six = [(seed, fold) for seed in range(3) for fold in range(2)]
    found, shared = by_seed(six, scores)
    assert found[:, 1] == pytest.approx(scores[:, 2:4].mean(axis=1)) and found.shape == (4, 3) and shared == 0.0
    found, shared = by_seed([(0, fold) for fold in range(6)], scores)
    assert found.shape == (4, 6) and shared == 1 / 5
    wider = np.asarray(set_of_best(scores, shared=1 / 5).half) / set_of_best(scores).half
    assert wider == pytest.approx(np.sqrt(1 + 6 / 5))
    assert by_seed([(seed, 0) for seed in range(6)], scores)[1] == 0.0


def with_margin(table, margin=None, samples=None):
    """A study with a margin of its own, or with so many validation samples."""
    objective = {**table.study["objective"], **({} if margin is None else {"margin": margin})}
    trials = table.trials if samples is None else table.trials.assign(**{"data.valid_size": samples})
    return replace(table, trials=trials, study={**table.study, "objective": objective})


def test_what_is_worse_by_less_than_the_margin_for_sure_is_equally_good():
    table = scored([level(0.9, 0), level(0.5, 1), level(0.905, 2), level(0.9, 0)])
    summary = summarize(with_margin(table, 0.1))
    assert [p.point for p in summary.standing.equal] == [0, 3]
    assert "; 0.01 and 0.08 are equally good within 0.1" in answer(summary)
    assert [line for line in caveats(summary, {}) if line.startswith("Equally good within 0.1 (Tukey's")]
    assert "; 0.01 and 0.08 may be as good" in answer(summarize(with_margin(table, 0.005)))


def test_a_margin_lets_points_be_as_good_that_would_be_worse():
    table = scored([level(0.9, 0), level(0.86, 1), level(0.4, 2)])
    assert [p.point for p in summarize(with_margin(table, 0)).standing.rivals] == []
    found = summarize(with_margin(table, 0.02))
    assert [p.point for p in found.standing.rivals] == [1]
    assert any("a difference below 0.02 counts as none" in line for line in caveats(found, {}))


def test_the_margin_is_by_default_what_the_validation_part_can_show_and_0_where_it_says_nothing():
    table = scored([level(0.9, 0), level(0.86, 1), level(0.4, 2)])
    assert summarize(with_margin(table, samples=300)).standing.margin == 0.02
    assert summarize(table).standing.margin == 0.0
    assert margin_of(Objective("valid/loss", "minimize"), None) == 0.0
    assert margin_of(Objective("valid/loss", "minimize", margin=0.25), 300) == 0.25
