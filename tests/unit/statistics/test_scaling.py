import numpy as np
import pytest
from scipy.optimize import minimize

from hpsearch.statistics.scaling import left_out_errors, levelling_off

B = np.array([8.0, 32, 128, 512, 2048])


def test_points_on_the_curve_give_back_its_constants():
    assert levelling_off(B, 100 + 25600 / B) == pytest.approx((100, 25600))


def test_the_fit_is_that_of_a_slow_optimization():
    s = (100 + 25600 / B) * np.array([1.1, 0.8, 1.2, 0.9, 1.1])

    def off(x):
        return np.sum(((np.exp(x[0]) + np.exp(x[1]) / B) / s - 1) ** 2)

    slow = minimize(off, np.log([50, 10000]), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert levelling_off(B, s) == pytest.approx(np.exp(slow.x), rel=1e-4)


@pytest.mark.parametrize(("s", "zero"), [(B**-1.3, 0), (B**0.2, 1)])
def test_no_constant_is_negative(s, zero):
    found = levelling_off(B, s)
    other = found[1 - zero]
    shape = 1 / B if zero == 0 else np.ones(5)
    assert found[zero] == 0 and other > 0
    around = [np.sum((other * factor * shape / s - 1) ** 2) for factor in (0.999, 1, 1.001)]
    assert min(around) == around[1]


def test_each_shape_predicts_its_own_points_and_not_the_others():
    curve, power = left_out_errors(B, 100 + 25600 / B)
    assert curve == pytest.approx(0, abs=1e-9) and power > 0.3
    curve, power = left_out_errors(B, 1000 * B**-0.5)
    assert power == pytest.approx(0, abs=1e-9) and curve > 0.2


def test_a_size_is_predicted_from_the_others_alone():
    values = 1000 * B**-0.5
    values[2] *= 2
    _, power = left_out_errors(B, values)
    others = np.delete(np.arange(5), 2)
    line = np.polyfit(np.log(B[others]), np.log(values[others]), 1)
    assert np.polyval(line, np.log(B[2])) - np.log(values[2]) == pytest.approx(-np.log(2))
    assert power > np.log(2) / np.sqrt(5)
