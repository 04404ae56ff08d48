import numpy as np
import pytest

from hpsearch.statistics.smoothing import local_quadratic, steps

RNG = np.random.default_rng(0)


def line(count):
    return np.arange(count, dtype=float)[:, None]


def test_inside_an_even_axis_it_is_the_weights_that_are_written_down():
    values = RNG.normal(size=7)
    expected = [np.dot([-1, 4, 9, 4, -1], values[i - 2 : i + 3]) / 15 for i in range(2, 5)]
    assert local_quadratic(line(7), values)[2:5] == pytest.approx(expected)


def test_it_is_the_weighted_least_squares_of_numpy_at_the_ends_and_beside_a_hole():
    places, values = np.array([0.0, 1, 2, 4, 5, 6]), RNG.normal(size=6)  # 3 is missing
    expected = [
        np.polynomial.Polynomial.fit(
            places[near], values[near], 2, w=np.sqrt(1 - np.abs(places[near] - place) / 3), domain=[-1, 1]
        )(place)
        for place in places
        for near in [np.abs(places - place) < 3]
    ]
    assert local_quadratic(places[:, None], values) == pytest.approx(expected)
    assert local_quadratic(places[:, None], values)[0] == pytest.approx(values[0]), "three points: nothing to smooth"


@pytest.mark.parametrize("axes", [1, 2])
def test_parabolas_are_not_bent_wherever_the_points_lie(axes):
    places = RNG.uniform(0, 6, size=(40, axes))
    values = (0.9 - 0.1 * (places - 2.5) ** 2 + 0.2 * places).sum(axis=1)
    assert local_quadratic(places, values) == pytest.approx(values)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.9], [0.7, 0.9, 0.8], [0.1] * 9])
def test_few_values_and_equal_ones_stay_what_they_are(values):
    assert local_quadratic(line(len(values)), values) == pytest.approx(values, abs=1e-15)
    assert len(set(local_quadratic(line(9), [0.1] * 9))) == 1


def test_noise_is_less_by_the_sum_of_the_squared_weights():
    draws = np.array([local_quadratic(line(5), row)[2] for row in RNG.normal(size=(3000, 5))])
    assert draws.std() == pytest.approx(np.sqrt(115) / 15, rel=0.05)


@pytest.mark.parametrize("exponent", [-600, 600])
@pytest.mark.filterwarnings("error")
def test_it_does_not_depend_on_the_size_of_the_values(exponent):
    values, size = [0.5, 0.25, 0.75, -0.375, 0.5], 2.0**exponent
    large = local_quadratic(line(5), [value * size for value in values])
    assert large == pytest.approx([value * size for value in local_quadratic(line(5), values)])


def test_steps_are_those_of_the_grid_on_the_scale_that_is_even():
    rates, sizes = [0.01, 0.1, 1.0, 10.0], [16, 32, 48]
    grid = [(rate, size) for rate in rates for size in sizes]
    places = steps(list(zip(*grid, strict=True)))
    assert np.diff(np.unique(places[:, 0].round(9))) == pytest.approx(1)
    assert np.diff(np.unique(places[:, 1].round(9))) == pytest.approx(1)
    logs = np.log10([rate for rate, _ in grid])
    assert places[:, 0] - places[0, 0] == pytest.approx(logs - logs[0])


def test_of_scattered_points_a_step_is_that_of_a_grid_of_as_many():
    columns = RNG.uniform(1.0, 2.0, size=(2, 25))
    assert np.ptp(steps(columns.tolist()), axis=0) == pytest.approx([4, 4])
    assert np.ptp(steps([RNG.uniform(1.0, 2.0, 9).tolist()]), axis=0) == pytest.approx([8])


def test_an_axis_with_one_value_is_none_and_zero_has_no_logarithm():
    assert steps([[0.1, 0.1, 0.1]]).shape == (3, 0)
    assert steps([[0.0, 0.1, 10.0], [3.0, 3.0, 3.0]])[:, 0] == pytest.approx([0, 0.02, 2])
    assert steps([]).shape == (0, 0)
