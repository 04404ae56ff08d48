import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.alexnet import AlexNet


def test_the_published_number_of_parameters():
    with torch.device("meta"):
        model = AlexNet((3, 224, 224), 1000, stem="original")
    assert sum(p.numel() for p in model.parameters()) == 61_100_840


def test_the_layers_of_the_original_stem():
    features = AlexNet((3, 224, 224), 10, ratio=16, hidden=[8, 8], stem="original").features
    shown = [(m.kernel_size, m.stride) for m in features.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d)]
    assert shown == [
        ((11, 11), (4, 4)), (3, 2), ((5, 5), (1, 1)), (3, 2), *[((3, 3), (1, 1))] * 3, (3, 2)
    ]  # fmt: skip
    assert features(torch.zeros(1, 3, 224, 224)).shape == (1, 16, 6, 6)


def test_ratio_slims_the_convolutions_alone():
    model = AlexNet((1, 28, 28), 10, ratio=8, hidden=[32])
    assert [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)] == [8, 24, 48, 32, 32]
    assert model.output.in_features == 32


def test_weights_keep_the_size_of_signals():
    torch.manual_seed(0)
    model = AlexNet((1, 28, 28), 10, ratio=4, hidden=[64, 64], dropout=0.0)
    x = torch.randn(64, 1, 28, 28)
    assert 0.3 < model.hidden(model.features(x).flatten(1)).square().mean().sqrt() < 6


@pytest.mark.parametrize(
    ("key", "value"),
    [("channels", [1, 2, 3]), ("ratio", 65), ("ratio", 0), ("stem", "large"), ("dropout", 1.0), ("hidden", [0])],
)
def test_a_bad_option_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key}"):
        AlexNet((1, 28, 28), 10, **{"hidden": [8]} | {key: value})
