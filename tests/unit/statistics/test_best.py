import numpy as np
import pytest
from scipy import stats

from hpsearch.statistics.best import set_of_best, smallest_difference, studentized_range


@pytest.mark.parametrize(("count", "freedom"), [(2, 2), (3, 4), (8, 14), (20, 38), (9, 1)])
def test_the_studentized_range_is_that_of_scipy(count, freedom):
    exact = stats.studentized_range.ppf(0.95, count, freedom)
    assert studentized_range(count, freedom) == pytest.approx(exact, rel=5e-4)


def test_two_points_are_compared_by_the_paired_test():
    scores = np.random.default_rng(0).normal(size=(2, 6))
    found = set_of_best(scores)
    interval = stats.ttest_rel(scores[0], scores[1]).confidence_interval()
    assert max(found.half) == pytest.approx((interval.high - interval.low) / 2, rel=1e-3)
    assert found.freedom == 5
    assert found.sd == pytest.approx(np.std(scores[0] - scores[1], ddof=1) / np.sqrt(2))


def test_equal_spreads_are_pooled_as_in_a_two_way_analysis_of_variance():
    # What effects of points and seeds leave of a table of 3 x 3, by hand: 6 squares of 1, f = 4.
    rest = np.asarray([[1.0, -1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
    found = set_of_best(rest + np.asarray([[0.0], [50.0], [20.0]]) + np.asarray([3.0, 1.0, -2.0]))
    assert found.sd == pytest.approx(np.sqrt(6 / 4))
    assert found.standing == ("worse", "highest", "worse")
    assert found.loss == pytest.approx((50.0, 0.0, 30.0))
    assert found.half[0] == pytest.approx(stats.studentized_range.ppf(0.95, 3, 4) * np.sqrt(6 / 4 / 3), rel=1e-3)


def test_what_the_seeds_have_in_common_does_not_count():
    rest = np.random.default_rng(0).normal(size=(5, 4))
    plain, shifted = set_of_best(rest), set_of_best(rest + np.asarray([100.0, -30.0, 0.0, 5.0]))
    assert shifted.sd == pytest.approx(plain.sd)
    assert shifted.standing == plain.standing


def test_a_margin_makes_points_equal_or_keeps_them():
    scores = np.asarray([[0.901, 0.899, 0.900], [0.9001, 0.8999, 0.9003], [0.89, 0.888, 0.892]])
    assert set_of_best(scores).standing == ("may be as good", "highest", "worse")
    assert set_of_best(scores, margin=0.008).standing == ("equal", "highest", "may be as good")
    assert set_of_best(scores, margin=0.05).standing == ("equal", "highest", "equal")


def test_a_point_that_scatters_too_much_is_not_ranked_even_where_its_mean_is_the_highest():
    scores = np.random.default_rng(0).normal(size=(6, 3)) * 0.01
    scores[2] = [9.0, -4.0, 1.0]
    found = set_of_best(scores)
    assert found.standing[2] == "too variable"
    assert found.standing.count("highest") == 1 and found.loss[2] < 0
    assert found.sd < 0.02


def test_where_many_points_scatter_more_all_but_the_far_ones_are_ranked():
    scatter = np.asarray([*[0.01] * 6, 0.08, 0.08, 0.08])[:, None]
    scores = np.asarray([np.roll([-1.0, 0.0, 1.0], row) for row in range(9)]) * scatter
    assert "too variable" not in set_of_best(scores).standing
    assert "too variable" in set_of_best(scores[:7]).standing
    scores[6] *= 100
    found = set_of_best(scores)
    assert found.standing[6] == "too variable" and found.standing.count("too variable") == 1
    assert found.sd < 0.1


def test_a_point_that_scatters_too_much_is_worse_where_its_own_spread_shows_it():
    scores = np.random.default_rng(0).normal(size=(6, 3)) * 0.01
    scores[2] = [-3.0, -3.5, -2.8]
    found = set_of_best(scores)
    own, best = (np.var(scores[index] - scores[[0, 1, 3, 4, 5]].mean(axis=0), ddof=1) for index in (2, 0))
    assert found.standing[2] == "worse" and own > 100 * best
    scores[2] += 2.5  # as far as it scatters
    assert set_of_best(scores).standing[2] == "too variable"


def test_a_noisier_point_is_given_its_own_width():
    scores = np.zeros((5, 3))
    scores += np.asarray([0.01, -0.01, 0.0])[np.random.default_rng(0).permuted(np.tile([0, 1, 2], (5, 1)), axis=1)]
    scores[4] *= 2.5
    half = set_of_best(scores).half
    assert half[4] > 1.2 * max(half[:4])


def test_one_seed_compares_nothing():
    found = set_of_best(np.asarray([[1.0], [3.0], [2.0]]), margin=0.1)
    assert found.standing == ("may be as good", "highest", "may be as good")
    assert np.isnan(found.half).all() and np.isnan(found.sd)


def test_scores_that_do_not_scatter():
    assert set_of_best(np.ones((3, 2))).standing == ("highest", "may be as good", "may be as good")
    assert set_of_best(np.asarray([[1.0, 1.0], [2.0, 2.0]])).standing == ("worse", "highest")


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_scale_of_the_scores_does_not_matter(scale):
    scores = np.random.default_rng(3).normal(size=(6, 4))
    assert set_of_best(scores * scale).standing == set_of_best(scores).standing


def exact_p(b, c):
    return stats.binomtest(b, b + c).pvalue


@pytest.mark.parametrize("samples", [20, 60])
def test_no_difference_below_the_smallest_one_can_be_shown_and_that_one_can(samples):
    shown = [(b - c) / samples for b in range(samples + 1) for c in range(samples + 1 - b)
             if b > c and exact_p(b, c) <= 0.05]  # fmt: skip
    assert min(shown) == smallest_difference(samples)


def test_no_two_accuracies_differ_by_more_than_1():
    assert smallest_difference(4) == 1.0
