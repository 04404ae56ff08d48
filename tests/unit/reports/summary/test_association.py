import itertools

import numpy as np
import pytest
from scipy.stats import kruskal, spearmanr

from hpsearch.base.types import TrialState
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.space import Axis
from hpsearch.reports.summary import association
from hpsearch.reports.summary.association import strongest_association


def points(scores, **params):
    active = [{key: given[i] for key, given in params.items() if given[i] is not None} for i in range(len(scores))]
    one = (TrialState.COMPLETE, 1, ((0, 0),))
    return [Point(i, active[i], *one, (score,), 0, None, (score,), None, None) for i, score in enumerate(scores)]


def axis(key, values, scale="linear"):
    return Axis(key, key, scale, tuple(dict.fromkeys(v for v in values if v is not None)))


X = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
KINDS = ["a", "a", "a", "b", "b", "c", "c", "c"]
NOISE = [0.3, 0.1, 0.25, 0.2, 0.15, 0.05, 0.22, 0.18]


@pytest.mark.parametrize("scores", [X, [-x for x in X], [1.0, 3.0, 2.0, 4.0, 6.0, 5.0, 8.0, 7.0], NOISE])
def test_a_number_goes_by_spearmans_rank_correlation(scores):
    found = strongest_association(points(scores, x=X), [axis("x", X)])
    assert found.strength == pytest.approx(spearmanr(X, scores).statistic)
    assert (found.name, found.numeric, found.points) == ("x", True, 8)


@pytest.mark.parametrize("scores", [X, [5.0, 6.0, 7.0, 0.0, 1.0, 2.0, 3.0, 4.0], NOISE])
def test_a_category_goes_by_its_share_of_the_ranks_variance(scores):
    found = strongest_association(points(scores, kind=KINDS), [axis("kind", KINDS, "category")])
    groups = [[s for s, k in zip(scores, KINDS, strict=True) if k == kind] for kind in "abc"]
    assert found.strength**2 == pytest.approx(kruskal(*groups).statistic / (len(scores) - 1))
    assert not found.numeric


@pytest.mark.parametrize("scores", [[1.0, 3.0, 2.0, 4.0, 6.0, 5.0], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]])
def test_the_p_value_is_that_over_all_orders(scores):
    x = X[:6]
    given = abs(spearmanr(x, scores).statistic)
    every = [abs(spearmanr(x, order).statistic) >= given - 1e-9 for order in itertools.permutations(scores)]
    assert strongest_association(points(scores, x=x), [axis("x", x)]).p == pytest.approx(np.mean(every), abs=0.02)


def test_it_is_the_surest_of_several_adjusted_for_their_number():
    one = strongest_association(points(X, x=X), [axis("x", X)])
    three = strongest_association(
        points(X, x=X, z=NOISE, kind=KINDS), [axis("z", NOISE), axis("x", X), axis("kind", KINDS, "category")]
    )
    assert three.name == "x" and one.p < 0.01
    assert three.p == pytest.approx(3 * one.p, rel=0.5)


@pytest.mark.parametrize(
    ("scores", "values"),
    [(X[:4], X[:4]), ([0.5] * 8, X), (X, [1.0] * 8), (X, [1.0, 2.0, 3.0, 4.0, None, None, None, None])],
    ids=["few points", "equal scores", "one value", "few values"],
)
def test_nothing_is_said_where_there_is_nothing_to_say(scores, values):
    assert strongest_association(points(scores, x=values), [axis("x", values)]) is None


def test_noise_is_called_so_about_as_often_as_the_level_says(monkeypatch):
    monkeypatch.setattr(association, "SHUFFLES", 199)
    rng = np.random.default_rng(0)
    axes = [axis("x", X), axis("kind", KINDS, "category")]
    found = [strongest_association(points(rng.normal(size=8).tolist(), x=X, kind=KINDS), axes).p for _ in range(400)]
    assert np.mean([p <= 0.05 for p in found]) < 0.09
