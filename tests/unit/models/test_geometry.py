"""Pooling, stride and padding of the models that let them be chosen."""

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.alexnet import AlexNet
from hpsearch.models.densenet import DenseNet
from hpsearch.models.googlenet import GoogLeNet
from hpsearch.models.lenet import LeNet
from hpsearch.models.nin import NiN
from hpsearch.models.small_conv import SmallConv
from hpsearch.models.vgg import VGG
from hpsearch.nn.pooling import L2Pool

POOLED = {
    "lenet": (LeNet, {}, 2),
    "small_conv": (SmallConv, {"hidden": [8]}, 2),
    "vgg": (VGG, {"ratio": 16, "hidden": [8]}, 3),
    "alexnet": (AlexNet, {"ratio": 16, "hidden": [8]}, 3),
    "nin": (NiN, {"ratio": 16}, 3),
    "googlenet": (GoogLeNet, {"ratio": 16}, 3),
    "densenet": (DenseNet, {"growth_rate": 4, "blocks": [1, 1, 1]}, 2),
}
KINDS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d, "l2": L2Pool}


def poolings(model, kind):
    return [module for module in model.features if isinstance(module, KINDS[kind])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", POOLED)
def test_the_kind_of_pooling_can_be_chosen(name, kind):
    make, options, count = POOLED[name]
    model = make((1, 28, 28), 10, pool=kind, **options)
    assert len(poolings(model, kind)) == count
    model(torch.rand(2, 1, 28, 28)).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ["lenet", "small_conv", "vgg", "alexnet", "nin"])
def test_windows_their_distance_and_their_padding_can_be_chosen(name):
    make, options, count = POOLED[name]
    model = make((1, 32, 28), 10, pool_size=3, pool_stride=2, pool_padding=1, **options)
    assert [(p.kernel_size, p.stride, p.padding) for p in poolings(model, "max")] == [(3, 2, 1)] * count
    assert model(torch.rand(2, 1, 32, 28)).shape == (2, 10)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, None), (2, 1), (1, 1)])
@pytest.mark.parametrize("name", ["lenet", "small_conv"])
def test_stride_and_padding_of_convolutions_can_be_chosen_and_the_smallest_image_is_named(name, stride, padding):
    make, options, _ = POOLED[name]
    model = make((1, 40, 33), 10, stride=stride, padding=padding, **options)
    convolutions = [m for m in model.features.modules() if isinstance(m, nn.Conv2d)]
    own = (2, 0) if name == "lenet" else (2, 2)
    expected = [(stride, own[place] if padding is None else padding) for place in range(2)]
    assert [(c.stride[0], c.padding[0]) for c in convolutions] == expected
    assert model(torch.rand(2, 1, 40, 33)).shape == (2, 10)
    with pytest.raises(ConfigError, match=r"needs images of at least (\d+)x\1 pixels") as error:
        make((1, 1, 1), 10, stride=stride, padding=padding, **options)
    least = int(str(error.value).partition("at least ")[2].partition("x")[0])
    side = make((1, least, least), 10, stride=stride, padding=padding, **options)
    assert side(torch.rand(1, 1, least, least)).shape == (1, 10)
    with pytest.raises(ConfigError, match=f"at least {least}x{least}"):
        make((1, least - 1, least), 10, stride=stride, padding=padding, **options)


@pytest.mark.parametrize(("key", "value"), [("stride", 0), ("padding", -1), ("pool", "median"), ("pool_padding", 2)])
@pytest.mark.parametrize("make", [LeNet, SmallConv])
def test_a_bad_option_is_named(make, key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key}"):
        make((1, 28, 28), 10, **{key: value})
