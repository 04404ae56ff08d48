"""What a search's page must not say: claims that its own table contradicts, or that nothing supports."""

from dataclasses import replace

import pytest

from hpsearch.base.words import listed
from hpsearch.reports.kit.points import Fresh, results_of
from hpsearch.reports.summary.confirmed import measured
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.sentences import answer, caveats
from hpsearch.reports.summary.standing import allow_for_picking
from hpsearch.reports.summary.training import counted, parted_text, rates_clause
from tests.support.scores import scored, with_states

JITTER = ((0.0, 0.01, -0.01), (0.01, -0.01, 0.0), (-0.01, 0.0, 0.01))


def rising(last):
    """Twelve points whose best is the last but one, in the outer tenth of the range; `last` is the mean beyond it."""
    means = [0.3 + 0.04 * place for place in range(11)] + [last]
    return [[mean + step for step in JITTER[place % 3]] for place, mean in enumerate(means)]


@pytest.mark.parametrize(("last", "edges"), [(0.1, {}), (0.699, {"optimizer.lr": "high"})])
def test_no_edge_stands_open_beyond_which_a_worse_point_was_tried(last, edges):
    summary = summarize(scored(rising(last)))
    assert (summary.best.point, summary.at_edge) == (10, edges)


@pytest.mark.parametrize("scores", [[0.5, 0.6, 0.7], [0.5, 0.5, 0.5]])
def test_of_equal_points_none_is_picked_and_no_edge_is_best(scores):
    summary = summarize(scored([scores] * 4))
    lines = " ".join(caveats(summary, {}))
    assert "looks better" not in lines
    assert "edge" not in lines
    assert "3 other points have exactly the same mean" in lines


def test_equal_points_of_one_seed_are_named_where_the_best_is():
    assert "; 2 other points have exactly the same mean" in answer(summarize(scored([[0.5], [0.5], [0.5], [0.1]])))


def test_one_point_of_one_seed_is_compared_with_nothing():
    lines = caveats(summarize(scored([[0.5]])), {})
    assert "One seed: another one may give another score; repeat with study.seeds=3 or more." in lines
    assert not any("differences between points" in line or "picked" in line for line in lines)


def test_without_a_score_none_is_explained_and_none_is_best():
    lost = {(point, seed): ("INFEASIBLE", f"diverged at step {2 + point}") for point in (0, 1) for seed in (0, 1)}
    summary = summarize(with_states(scored([[0.5, 0.6], [0.5, 0.6]]), lost))
    bare = replace(summary, points=tuple(replace(point, scores=()) for point in summary.points))
    lines = caveats(bare, {"optimizer.momentum": 0.9})
    assert not any(line.startswith("A trial's score") for line in lines)
    assert not any("best" in line for line in lines)
    assert answer(summary).endswith("; 2 of 2 seeds fail at 0.01.")


def test_a_point_some_of_whose_seeds_stay_at_chance_came_to_its_end_too():
    summary = summarize(scored([[0.5, 0.6, 0.7], [0.6, 0.7, 0.8], [0.1, 0.2, 0.3]]))
    points = (*summary.points[:2], replace(summary.points[2], dead=1, trained=2, values=()))
    assert "The best of 3 points was picked" in " ".join(caveats(replace(summary, points=points), {}))


def test_seeds_above_chance_at_a_rate_that_is_too_slow_are_not_said_to_train():
    summary = summarize(scored([[0.5, 0.6, 0.1], [0.7, 0.8, 0.9]]))
    point = replace(summary.points[0], dead=1, trained=2, scores=(0.5, 0.6))
    slow = replace(summary.rates.tried[0], trains=1, slow=2, fails=0)
    rates = replace(summary.rates, tried=(slow, *summary.rates.tried[1:]))
    (text,) = parted_text([point], rates)
    assert ": 2 of 3 seeds do better than chance (" in text
    assert "; the share that does is 9 to 99 %" in text
    (text,) = parted_text([point], replace(rates, tried=(replace(slow, trains=2, slow=1), *rates.tried[1:])))
    assert ": 2 of 3 seeds train (" in text


def test_above_chance_is_not_yet_trained():
    point = summarize(scored([[0.5, 0.6]])).points[0]
    assert counted(None, replace(point, trained=2)) == ""
    assert counted(None, replace(point, trained=1, dead=1)) == "1 of 2"


def test_folds_are_no_seeds():
    rates = summarize(scored([[0.5, 0.6, 0.7], [0.7, 0.8, 0.9]])).rates
    assert "every seed trains" in rates_clause(rates, alone=True)
    clause = rates_clause(rates, alone=True, noun="run")
    assert "every run trains" in clause
    assert "seed" not in clause


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (0.99, "0.090 too good (by +0.065 to +0.115, 95 % t interval"),
        (0.905, "a difference of 0.005, which may be chance (too good by −0.020 to +0.030, 95 % t interval"),
        (0.85, "a difference of 0.050 (too good by −0.075 to −0.025, 95 % t interval"),
    ],
)
def test_a_choice_is_too_good_where_fresh_seeds_show_it(chosen, said):
    summary = summarize(scored([[0.9, 0.91, 0.89], [0.5, 0.51, 0.52]]))
    point = summary.points[0]
    top = replace(point, values=(chosen,), replicates=((7, 0),))
    assert said in measured(replace(summary, fresh=Fresh((0, 1, 2), (point,), (), top, 2, "")))


def test_what_is_listed_ends_with_an_and():
    assert [listed(texts) for texts in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("sampler", "test", "open_"), [("Manual", True, False), ("Manual", False, True), ("Grid", True, True)]
)
def test_where_a_recipe_confirms_what_it_found_no_range_is_searched(sampler, test, open_):
    table = scored([[0.5, 0.51, 0.52], [0.6, 0.61, 0.62], [0.9, 0.91, 0.92]])
    config = {**table.study["config"], "trainer": {"test": test}}
    summary = summarize(replace(table, study={**table.study, "sampler": sampler, "config": config}))
    assert bool(summary.at_edge) is open_


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_interval_of_a_picked_point_reaches_further_on_its_worse_side(direction):
    table = scored([[0.5, 0.54, 0.52], [0.53, 0.51, 0.52], [0.52, 0.51, 0.54]], direction)
    results = results_of(table)
    plain, summary = results_of(table).quoted.interval, summarize(table)
    allow_for_picking(results.quoted, summary.standing, summary.objective)
    moved, by = results.quoted.interval, summary.standing.optimism
    worse = (plain.low - by, plain.high) if direction == "maximize" else (plain.low, plain.high + by)
    assert (moved.low, moved.high) == pytest.approx(worse)
    assert (summary.quoted.interval.low, summary.quoted.interval.high) == pytest.approx(worse)
