import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.small_conv import SmallConv


def test_it_equals_the_published_network():
    published = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 1024), nn.ReLU(), nn.Linear(1024, 10),
    )  # fmt: skip
    model = SmallConv((1, 28, 28), 10)
    for theirs, mine in zip(published.parameters(), model.parameters(), strict=True):
        theirs.data.copy_(mine)
    x = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(model(x), published(x))


def test_weights_and_biases_start_as_published():
    for layer in SmallConv((1, 28, 28), 10).modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            assert (layer.bias == 0.05).all()
            assert layer.weight.abs().max() <= 0.1
            assert layer.weight.std().item() == pytest.approx(0.05 * 0.88, rel=0.1)


def test_depth_and_batch_normalization():
    model = SmallConv((1, 16, 16), 10, channels=[4, 8, 8], hidden=[], norm="batch")
    kinds = [type(m) for m in model.features.modules() if not list(m.children())]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d] * 3
    assert model.output.in_features == 8 * 2 * 2


def test_too_small_an_image():
    with pytest.raises(ConfigError, match="a network of 4 poolings needs images of at least 16x16 pixels"):
        SmallConv((1, 8, 8), 10, channels=[2] * 4)


@pytest.mark.parametrize(("key", "value"), [("channels", 32), ("kernel_size", 4), ("hidden", [0]), ("norm", "b")])
def test_a_bad_option_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key}"):
        SmallConv((1, 28, 28), 10, **{key: value})
