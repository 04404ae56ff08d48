import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.vgg import VGG


def test_the_published_number_of_parameters():
    with torch.device("meta"):
        model = VGG((3, 224, 224), 1000, stem="original")
    assert sum(p.numel() for p in model.parameters()) == 132_863_336


def layers(model):
    short = {nn.Conv2d: "c", nn.MaxPool2d: "p"}
    return "".join(short[type(m)] for m in model.features.modules() if type(m) in short)


def test_poolings_of_the_stems():
    assert layers(VGG((1, 32, 32), 10, ratio=16, hidden=[], stem="original")) == "cpcpccpccpccp"
    assert layers(VGG((1, 32, 32), 10, ratio=16, hidden=[], stem="small")) == "cpcpccpcccc"
    assert layers(VGG((1, 32, 32), 10, [1, 2], [4, 8], hidden=[], stem="small")) == "cpccp"


def test_widths():
    model = VGG((1, 8, 8), 10, ratio=4, hidden=[32, 16])
    widths = [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [16, 32, 64, 64, 128, 128, 128, 128]
    assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == [32, 16, 10]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("blocks", [1, 0, 2, 2, 2]),
        ("channels", [64]),
        ("kernel_size", 2),
        ("ratio", 65),
        ("stem", None),
        ("dropout", [0.5]),
    ],
)
def test_a_bad_option_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key}"):
        VGG((1, 32, 32), 10, **{"ratio": 16, "hidden": [8, 8]} | {key: value})
