import math

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.lenet import LeNet, OriginalLeNet


@pytest.mark.parametrize("kind", [LeNet, OriginalLeNet])
def test_it_has_the_published_number_of_parameters(kind):
    assert sum(p.numel() for p in kind((1, 28, 28), 10).parameters()) == 61_706


def test_the_original_form_fills_xaviers_interval():
    weight = OriginalLeNet((1, 28, 28), 10).hidden[0][0].weight
    bound = math.sqrt(6 / (400 + 120))
    assert bound * 0.98 < weight.abs().max() <= bound


def test_the_original_form_equals_the_textbook_network():
    textbook = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )
    model = OriginalLeNet((1, 28, 28), 10)
    for mine, theirs in zip(textbook.parameters(), model.parameters(), strict=True):
        mine.data.copy_(theirs)
    x = torch.randn(3, 1, 28, 28)
    torch.testing.assert_close(model(x), textbook(x))


def test_the_modern_form_uses_relu_and_max_pooling():
    first, pool, second, _ = LeNet((1, 28, 28), 10).features
    assert [type(layer) for layer in (*first, pool)] == [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    assert [type(layer) for layer in second] == [nn.Conv2d, nn.ReLU]


@pytest.mark.parametrize("in_shape", [(1, 12, 12), (1, 13, 17), (3, 32, 32), (3, 96, 96)])
def test_it_builds_from_the_smallest_size_on(in_shape):
    assert LeNet(in_shape, 4)(torch.zeros(2, *in_shape)).shape == (2, 4)


def test_a_small_kernel_holds_8x8_images():
    model = LeNet((1, 8, 8), 10, kernel_size=3, channels=[4, 8], hidden=[])
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_the_smallest_size_is_the_one_named(kernel_size):
    smallest = 2 * (kernel_size + 1)
    LeNet((1, smallest, smallest), 2, kernel_size=kernel_size)(torch.zeros(1, 1, smallest, smallest))
    with pytest.raises(ConfigError, match=f"at least {smallest}x{smallest} pixels"):
        LeNet((1, smallest, smallest - 1), 2, kernel_size=kernel_size)


def test_too_small_an_image_is_told_what_fits():
    with pytest.raises(ConfigError) as error:
        LeNet((1, 8, 8), 10)
    assert str(error.value) == (
        "LeNet with model.kernel_size = 5 needs images of at least 12x12 pixels, the data has 8x8; "
        "model.kernel_size=3 fits"
    )


def test_features_are_no_image():
    with pytest.raises(ConfigError, match=r"needs images .* inputs of shape \(13,\)"):
        LeNet((13,), 2)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("kernel_size", 4),
        ("kernel_size", 0),
        ("kernel_size", True),
        ("pool", "mean"),
        ("activation", "step"),
        ("channels", [6]),
        ("channels", [6, 0]),
        ("hidden", 84),
        ("dropout", -0.5),
        ("norm", "bn"),
    ],
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        LeNet((1, 28, 28), 10, **{option: value})
