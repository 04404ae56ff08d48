import pytest
import torch
from torch.nn import functional as F

from hpsearch.base.errors import ConfigError
from hpsearch.models.googlenet import GoogLeNet, Inception
from hpsearch.nn.style import Style


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_it_has_the_published_number_of_parameters():
    assert parameters(GoogLeNet((3, 224, 224), 1000, stem="original")) == 6_998_552


def test_an_inception_block_concatenates_its_branches():
    block = Inception(5, (2, 3, 4, 2, 3, 1), Style())
    (ones, _), threes, fives, (pooled, _) = block.branches

    def convolved(x, layer):
        return F.conv2d(x, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2).clamp(min=0)

    x = torch.randn(2, 5, 7, 7)
    maps = [
        convolved(x, ones),
        convolved(convolved(x, threes[0][0]), threes[1][0]),
        convolved(convolved(x, fives[0][0]), fives[1][0]),
        convolved(F.max_pool2d(x, 3, stride=1, padding=1), pooled),
    ]
    assert [layer.kernel_size[0] for layer in (threes[1][0], fives[1][0])] == [3, 5]
    torch.testing.assert_close(block(x), torch.cat(maps, 1))
    assert block.outputs == 2 + 4 + 3 + 1


def test_there_are_nine_blocks_and_the_ratio_slims_them():
    full, slim = GoogLeNet((1, 32, 32), 10), GoogLeNet((1, 32, 32), 10, ratio=4)
    outputs = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    assert [block.outputs for block in full.features if isinstance(block, Inception)] == outputs
    assert [block.outputs for block in slim.features if isinstance(block, Inception)] == [n // 4 for n in outputs]


@pytest.mark.parametrize(("stem", "side"), [("small", 4), ("original", 1)])
def test_the_stem_says_how_large_the_maps_are(stem, side):
    model = GoogLeNet((1, 28, 28), 10, ratio=16, stem=stem)
    maps = model.features[:-3](torch.randn(2, 1, 28, 28))
    assert maps.shape == (2, 64, side, side)


@pytest.mark.parametrize("activation", ["crelu", "maxout"])
def test_activations_that_change_the_number_of_maps(activation):
    model = GoogLeNet((1, 8, 8), 10, ratio=8, activation=activation, norm="batch", norm_first=False)
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_the_signal_does_not_fade_before_training():
    torch.manual_seed(0)
    features = GoogLeNet((1, 28, 28), 10).features(torch.randn(8, 1, 28, 28))
    assert 0.05 < features.std() < 5


def test_instance_normalization_needs_more_than_one_position():
    with pytest.raises(
        ConfigError, match=r"GoogLeNet with model\.stem = original needs images of at least 33x33 pixels"
    ):
        GoogLeNet((1, 28, 28), 10, norm="instance", stem="original")


@pytest.mark.parametrize(
    ("option", "value"), [("ratio", 0), ("ratio", 17), ("ratio", 1.5), ("stem", "big"), ("activation", "rely")]
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        GoogLeNet((1, 28, 28), 10, **{option: value})
