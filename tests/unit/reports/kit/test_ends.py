"""What the evaluations at the ends of trials say: last value, jitter, drift, test scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.kit import tested
from hpsearch.reports.kit.ends import ends_by_point, last_scores, score_note

STEPS = (190, 195, 200)
NOTE = "A trial's score is the mean of its evaluations at 95, 97.5 and 100 % of its updates"


def table_of(ends, states=None, reduce="end", regularizer=None, tests=None):
    """A study of one point per list of trials; a trial is what it measured at its end."""
    trials, rows = [], []
    for (point, seed), values in ends.items():
        trials.append({"point": point, "seed": seed, "fold": 0, "state": (states or {}).get((point, seed), "COMPLETE")})
        trials[-1] |= {"valid/acc": values[-1], "score": float(np.mean(values)), "reason": ""}
        trials[-1] |= {} if tests is None else {"test/acc": tests[point, seed][-1]}
        for place, (step, value) in enumerate(zip(STEPS[-len(values) :], values, strict=True)):
            rows.append({"point": point, "seed": seed, "fold": 0, "step": step, "valid/acc": value})
            if tests is not None and len(tests[point, seed]) > 1:
                rows[-1]["test/acc"] = tests[point, seed][place]
            elif tests is not None and place == 1:
                rows[-1]["test/acc"] = tests[point, seed][0]
    study = {"objective": {"metric": "valid/acc", "reduce": reduce}, "config": {"regularizer": regularizer or {}}}
    none = pd.DataFrame()
    return TrialTable("s", study, pd.DataFrame(trials), none, none, ends=pd.DataFrame(rows) if rows else None)


def test_jitter_and_drift_are_those_of_lines():
    end = ends_by_point(table_of({(0, 0): [0.8, 0.9, 0.85], (0, 1): [0.7, 0.7, 0.73]}), Objective("valid/acc"))[0]
    lines = ([0.8, 0.9, 0.85], [0.7, 0.7, 0.73])
    squares = sum((a - 2 * b + c) ** 2 / 6 for a, b, c in lines)  # of three equal steps, one degree of freedom
    assert end.jitter == pytest.approx((squares / 2) ** 0.5)
    assert end.drift == pytest.approx(np.mean([0.05, 0.03])) and end.last == pytest.approx(0.79)
    assert end.train is None


def test_jitter_is_the_deviation_of_the_noise_and_drift_leaves_it_out():
    rng = np.random.default_rng(0)
    ends = {(0, seed): (0.5 + 0.02 * np.arange(3) + 0.01 * rng.normal(size=3)).tolist() for seed in range(2000)}
    end = ends_by_point(table_of(ends), Objective("valid/acc"))[0]
    assert end.jitter == pytest.approx(0.01, rel=0.05) and end.drift == pytest.approx(0.04, abs=0.001)


@pytest.mark.parametrize("value", [0.1, 0.0, 0.099, 1234.5])
def test_rounding_is_neither_jitter_nor_drift(value):
    end = ends_by_point(table_of({(0, 0): [value] * 3}), Objective("valid/acc"))[0]
    assert (end.jitter, end.drift) == (0.0, 0.0)


def test_of_fewer_evaluations_less_is_known():
    ends = {(0, 0): [0.8, 0.9], (1, 0): [0.7], (2, 0): [0.5, 0.6, 0.7]}
    table = table_of(ends, states={(2, 0): "PRUNED"})
    found = ends_by_point(table, Objective("valid/acc"))
    assert list(found) == [0] and found[0].jitter is None and found[0].drift == pytest.approx(0.1)
    assert last_scores(table, Objective("valid/acc"))[0, 0, 0] == 0.9
    for reduce in ("last", "best"):
        assert not ends_by_point(table, Objective("valid/acc", reduce=reduce))
        assert not last_scores(table, Objective("valid/acc", reduce=reduce))
    assert not ends_by_point(replace(table, ends=None), Objective("valid/acc"))


def test_the_training_part_is_that_of_the_same_evaluations():
    table = table_of({(0, 0): [0.8, 0.9, 0.85]})
    table.ends["train_eval/acc"] = [0.9, 0.95, 1.0]
    assert ends_by_point(table, Objective("valid/acc"))[0].train == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("made", "note", "score"),
    [
        ({"tests": {(0, 0): [0.6, 0.7, 0.5]}}, f"{NOTE}; test scores are of the same weights.", 0.6),
        ({}, f"{NOTE}.", None),
        ({"reduce": "last", "tests": {(0, 0): [0.5]}}, "its last value; test scores are of the last weights.", 0.5),
        ({"reduce": "best", "tests": {(0, 0): [0.5]}}, "best value of its curve; test scores are of the best w", 0.5),
        (
            {"regularizer": {"early_stopping": {"patience": 3}}, "tests": {(0, 0): [0.5]}},
            "the evaluations before, at and after the one that it restores; test scores are of the restored weights.",
            0.5,
        ),
    ],
)
def test_what_a_score_is_and_of_which_weights_the_test_is_measured(made, note, score):
    table = table_of({(0, 0): [0.8, 0.9, 0.85]}, **made)
    assert note in score_note(table)
    objective = Objective("valid/acc", reduce=made.get("reduce", "end"))
    assert tested.test_scores(table, objective) == ({} if score is None else {(0, 0, 0): pytest.approx(score)})


def test_a_loop_that_reports_once_per_epoch_has_its_last_value():
    table = table_of({(0, 0): [0.8, 0.9]})
    assert score_note(replace(table, ends=None)) == "A trial's score is its last value."
