import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.stem import check_stages, least_side, stem_block
from hpsearch.nn.style import Style


@pytest.mark.parametrize(("stem", "side"), [("original", 56), ("small", 224)])
def test_the_original_stem_makes_an_image_four_times_smaller(stem, side):
    block = stem_block(stem, 3, 8, Style("crelu", "batch"))
    assert block(torch.randn(2, 3, 224, 224)).shape == (2, 16, side, side)
    assert block.outputs == 16


@pytest.mark.parametrize("stem", ["original", "small"])
@pytest.mark.parametrize("halvings", [1, 3])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_least_side_leaves_two_positions_to_halve_or_to_normalize(stem, halvings, norm):
    least = least_side(stem, halvings, norm)
    pools = [nn.MaxPool2d(3, 2, padding=1)] * (halvings if norm == "instance" else halvings - 1)
    layers = nn.Sequential(stem_block(stem, 1, 2, Style()), *pools)
    assert layers(torch.randn(1, 1, least, least)).shape[-1] == 2
    assert layers(torch.randn(1, 1, least - 1, least - 1)).shape[-1] == 1


def test_without_halvings_every_image_is_large_enough():
    assert least_side("small", 0, "batch") == 1
    assert least_side("small", 0, "instance") == 2


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], r"model.blocks = \[\]: must have a number for at least one stage"),
        ([1, 0], r"model.blocks\[1\] = 0"),
        (3, r"model.blocks = 3: must be a list"),
    ],
)
def test_stages(blocks, message):
    check_stages([1])
    with pytest.raises(ConfigError, match=message):
        check_stages(blocks)
