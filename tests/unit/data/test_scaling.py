import math
import statistics

import pytest
import torch

from hpsearch.data.scaling import SCALINGS, fit


def images(seed=0):
    x = torch.randint(0, 256, (40, 3, 5, 5), generator=torch.Generator().manual_seed(seed)).float()
    x[0, :, 0, :2] = torch.tensor([0.0, 255.0])
    return x


def test_minmax_divides_8_bit_images_by_255():
    x = images()
    assert torch.equal(fit(x, "minmax").apply_(x.clone()), x / 255)


def test_standardize_is_per_channel():
    x = images() * torch.tensor([1.0, 10.0, 0.1])[:, None, None] + torch.tensor([5.0, -3.0, 0.0])[:, None, None]
    scaled = fit(x, "standardize").apply_(x.clone())
    for channel in range(3):
        values = scaled[:, channel].double()
        assert values.mean().abs() < 1e-5
        assert abs(values.std(correction=0) - 1) < 1e-5


def test_features_are_scaled_one_by_one():
    x = torch.tensor([[1.0, -10.0], [2.0, 0.0], [3.0, 10.0]])
    assert torch.equal(fit(x, "minmax").apply_(x.clone()), torch.tensor([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]))


@pytest.mark.parametrize("kind", ["minmax", "standardize"])
def test_a_constant_feature_becomes_zero_not_nan(kind):
    x = torch.tensor([[4.0, 1.0], [4.0, 2.0]])
    assert fit(x, kind).apply_(x.clone())[:, 0].tolist() == [0.0, 0.0]


def test_none_leaves_the_inputs_alone():
    assert fit(images(), "none") is None


SLOW = {
    "minmax": lambda v, t: (v - min(t)) / (max(t) - min(t)),
    "standardize": lambda v, t: (v - statistics.fmean(t)) / statistics.pstdev(t),
    "log": lambda v, t: math.log(1 + max(v - min(t), 0)) / math.log(1 + max(t) - min(t)),
    "exponential": lambda v, t: 1 - math.exp(-(v - min(t)) / (statistics.fmean(t) - min(t))),
    "arctangent": lambda v, t: 2 / math.pi * math.atan((v - statistics.fmean(t)) / statistics.pstdev(t)),
}


@pytest.mark.parametrize("kind", SLOW)
def test_each_scaling_equals_its_formula_fitted_on_the_training_part(kind):
    train = torch.tensor([[3.0, -5.0], [10.0, 2.0], [4.0, 900.0], [8.0, 30.0]])
    other = torch.tensor([[2.0, 5.0], [40.0, -20.0]])
    scaling = fit(train, kind)
    for part in (train, other):
        scaled = scaling.apply_(part.clone())
        for column in range(2):
            fitted = train[:, column].tolist()
            for row, value in enumerate(part[:, column].tolist()):
                assert scaled[row, column].item() == pytest.approx(SLOW[kind](value, fitted), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", SLOW)
def test_every_scaling_of_a_constant_is_finite(kind):
    x = torch.full((5, 1), 7.0)
    assert fit(x, kind).apply_(torch.tensor([[7.0], [9.0], [1.0]])).isfinite().all()


def test_every_scaling_has_a_formula():
    assert set(SLOW) == set(SCALINGS) - {"none"}
