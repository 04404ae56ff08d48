import pytest
import torch
from torch.nn.functional import interpolate

from hpsearch.base.errors import ConfigError
from hpsearch.data.views import averaged, check_views

WEIGHT = torch.randn(3 * 8 * 8, 4, generator=torch.Generator().manual_seed(0))


def model(x):
    return x.flatten(1) @ WEIGHT


def images(n=5):
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_none_is_the_function_itself():
    assert averaged(model, "none", "classification") is model


def test_flip_averages_probabilities():
    x = images()
    out = averaged(model, "flip", "classification")(x)
    want = (model(x).softmax(1) + model(x.flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(out.softmax(1), want)
    torch.testing.assert_close(out.exp().sum(1), torch.ones(5))


def test_a_regression_averages_outputs():
    x = images()
    torch.testing.assert_close(averaged(model, "flip", "regression")(x), (model(x) + model(x.flip(-1))) / 2)


def test_ten_crop_equals_a_slow_computation():
    x = images(2)
    crops = [x[:, :, a : a + 7, b : b + 7] for a, b in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 0))]
    views = [interpolate(crop, size=(8, 8), mode="bilinear") for crop in crops]
    want = sum(model(view).softmax(1) + model(view.flip(-1)).softmax(1) for view in views) / 10
    torch.testing.assert_close(averaged(model, "ten_crop", "classification")(x).softmax(1), want)


def test_a_centre_crop_is_the_middle_of_a_stretched_image():
    x = torch.arange(28.0).expand(2, 1, 28, 28)  # a ramp along the width, which bilinear stretching keeps
    seen = []
    averaged(lambda view: seen.append(view) or view.flatten(1), "centre_crop", "regression")(x)
    (view,) = seen
    assert view.shape == x.shape
    columns = [(column + 2 + 0.5) * 28 / 32 - 0.5 for column in range(28)]
    torch.testing.assert_close(view[0, 0], torch.tensor(columns).expand(28, 28))
    torch.testing.assert_close(averaged(model, "centre_crop", "regression")(images()), model(_stretched(images())))
    assert averaged(model, "centre_crop", "classification")(images()).exp().sum(1) == pytest.approx(1)


def _stretched(x):
    return interpolate(x, size=(9, 9), mode="bilinear")[:, :, :8, :8]


def test_features_have_no_views():
    with pytest.raises(ConfigError, match=r"trainer.eval_views = 'flip': needs images, the inputs have shape \(4,\)"):
        check_views("flip", (4,))
    check_views("none", (4,))
    check_views("ten_crop", (3, 8, 8))
