"""Two studies against each other, compared with scipy and with hand-made scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpsearch.base.types import TrialTable
from hpsearch.reports.comparison.numbers import compare, doubts, shown, verdict
from hpsearch.reports.summary.numbers import summarize
from hpsearch.statistics.intervals import welch_interval


def table(name, scores, seeds=None, **changes):
    """A study of one point with these scores."""
    seeds = range(len(scores)) if seeds is None else seeds
    rows = [
        {
            **{"point": 0, "seed": seed, "fold": 0, "state": "COMPLETE", "score": score, "reason": ""},
            **{"optimizer.lr": 0.1, "started": 0.0, "ended": 1.0, "duration_sec": 1.0, "data.digest": "d"},
        }
        for seed, score in zip(seeds, scores, strict=True)
    ]
    study = {
        "config": {"study": {"seeds": len(scores)}},
        "space": {"optimizer.lr": "choice(0.1)"},
        "objective": {"metric": "valid/acc", "direction": "maximize"},
        **changes,
    }
    curves = pd.DataFrame(columns=["point", "seed", "fold", "epoch", "step", "time"])
    steps = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])
    return TrialTable(name, study, pd.DataFrame(rows), curves, steps)


def both(one, other):
    first, second = summarize(one), summarize(other)
    return compare(first, second), first, second


def test_welch_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.9, 0.01, 4), rng.normal(0.88, 0.03, 7)
    found = welch_interval(a, b)
    wanted = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert welch_interval([1.0], b) is None
    flat = welch_interval([1.0, 1.0], [0.5, 0.5])
    assert (flat.low, flat.high) == (0.5, 0.5)


def test_the_same_seeds_are_paired_and_the_sentence_says_who_is_better():
    a, b = [0.90, 0.92, 0.91, 0.95], [0.91, 0.935, 0.92, 0.962]
    comparison, first, second = both(table("a", a), table("b", b))
    wanted = stats.ttest_rel(b, a).confidence_interval()
    assert comparison.paired == 4
    assert (comparison.interval.low, comparison.interval.high) == pytest.approx((wanted.low, wanted.high))
    assert comparison.told_apart
    assert verdict(comparison, first, second).startswith("b is better than a: best valid/acc a 0.920")
    assert "paired over 4 seeds" in verdict(comparison, first, second)
    swapped = compare(second, first)
    assert swapped.difference == pytest.approx(-comparison.difference)
    assert verdict(swapped, second, first).startswith("b is better than a")


def test_of_a_loss_the_smaller_is_better():
    fields = {"objective": {"metric": "valid/loss", "direction": "minimize"}}
    comparison, first, second = both(table("a", [0.3, 0.31, 0.32], **fields), table("b", [0.2, 0.212, 0.22], **fields))
    assert verdict(comparison, first, second).startswith("b is better than a")


def test_other_seeds_are_not_paired():
    comparison, first, second = both(table("a", [0.9, 0.8, 0.7]), table("b", [0.9, 0.8, 0.6], seeds=[5, 6, 7]))
    assert comparison.paired == 0
    assert comparison.interval.method.startswith("Welch")
    said = verdict(comparison, first, second)
    assert said.startswith("The two may be equal, as far as these seeds show") and "unpaired, Welch" in said
    assert any("share too few seeds" in line for line in doubts(comparison, (table("a", [0.9]),) * 2, first, second))


def test_seeds_that_both_have_are_paired_though_one_has_more():
    a, b = [0.90, 0.92, 0.91, 0.95, 0.99], [0.91, 0.935, 0.92, 0.962]
    comparison, first, second = both(table("a", a), table("b", b, seeds=[0, 1, 2, 3]))
    wanted = stats.ttest_rel(b, a[:4]).confidence_interval()
    assert (comparison.interval.low, comparison.interval.high) == pytest.approx((wanted.low, wanted.high))
    assert comparison.difference == pytest.approx(np.mean(b) - np.mean(a[:4]))
    assert "paired over 4 seeds that both have" in verdict(comparison, first, second)


def test_over_folds_the_means_of_seeds_are_paired():
    folds = [
        replace(one, trials=pd.concat([one.trials, one.trials.assign(fold=1, score=one.trials["score"] + shift)]))
        for one, shift in ((table("a", [0.9, 0.8, 0.7]), 0.1), (table("b", [0.91, 0.83, 0.72]), 0.12))
    ]
    comparison, first, second = both(*folds)
    wanted = stats.ttest_rel([0.97, 0.89, 0.78], [0.95, 0.85, 0.75]).confidence_interval()
    assert (comparison.interval.low, comparison.interval.high) == pytest.approx((wanted.low, wanted.high))
    assert "paired over 3 seeds" in verdict(comparison, first, second)


@pytest.mark.parametrize("scores", [([0.9, 0.8], [0.91, 0.82]), ([0.9, 0.8, 0.7], [0.91, 0.81, 0.71])])
def test_two_seeds_or_differences_without_spread_give_no_interval(scores):
    comparison, first, second = both(table("a", scores[0]), table("b", scores[1]))
    assert comparison.interval is None and not comparison.told_apart
    assert "no interval can be given" in verdict(comparison, first, second)


def test_one_seed_gives_no_interval():
    comparison, first, second = both(table("a", [0.9]), table("b", [0.95]))
    assert comparison.interval is None and not comparison.told_apart
    assert "no interval can be given" in verdict(comparison, first, second)
    assert shown(comparison) == ("+0.0500", "", "")


def test_decimals_follow_the_interval():
    comparison, *_ = both(table("a", [0.97, 0.98, 0.981]), table("b", [0.972, 0.97, 0.985]))
    assert all(len(text) == len("+0.000") for text in shown(comparison))


def test_what_cannot_be_compared_says_why():
    loss = {"objective": {"metric": "valid/loss", "direction": "minimize"}}
    comparison, first, second = both(table("a", [0.9]), table("b", [0.2], **loss))
    assert "objectives differ (a maximizes valid/acc and b minimizes valid/loss)" in verdict(comparison, first, second)
    lost = table("b", [0.2])
    lost = replace(lost, trials=lost.trials.assign(state="FAILED", score=float("nan")))
    comparison, first, second = both(table("a", [0.9]), lost)
    assert "no point of b is complete" in verdict(comparison, first, second)
    assert doubts(comparison, (), first, second) == []


def test_other_data_raise_a_doubt():
    one, other = table("a", [0.9, 0.91, 0.92]), table("b", [0.9, 0.91, 0.93])
    comparison, *sides = both(one, other)
    assert doubts(comparison, (one, other), *sides)[1:] == [
        "The difference is over seeds, on these samples: on others the two may compare otherwise."
    ]
    other = replace(other, trials=other.trials.assign(**{"data.digest": "e"}))
    _, doubt = doubts(comparison, (one, other), *sides)
    assert "other data" in doubt


def test_other_code_raises_a_doubt():
    one, other = (
        replace(t, trials=t.trials.assign(code="a1"))
        for t in (table("a", [0.9, 0.8, 0.7]), table("b", [0.9, 0.8, 0.7]))
    )
    comparison, *sides = both(one, other)
    assert len(doubts(comparison, (one, other), *sides)) == 1
    other = replace(other, trials=other.trials.assign(code=["a1", "b2", "b2"]))
    assert "by other code" in doubts(comparison, (one, other), *sides)[1]
    assert len(doubts(comparison, (one, table("b", [0.9, 0.8, 0.7])), *sides)) == 1
