import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from hpsearch.base.errors import ConfigError
from hpsearch.models.resnet import ResidualBlock, ResNet
from hpsearch.nn.style import Style


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_resnet_18_has_the_published_number_of_parameters():
    assert parameters(ResNet((3, 224, 224), 1000, stem="original")) == 11_689_512


def normalized(x):
    """Batch normalization as it starts."""
    mean = x.mean((0, 2, 3), keepdim=True)
    return (x - mean) / ((x - mean).square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()


@pytest.mark.parametrize(("inputs", "stride"), [(6, 1), (3, 1), (6, 2)])
def test_a_block_adds_two_convolutions_to_its_input(inputs, stride):
    block = ResidualBlock(inputs, 6, stride, Style("relu", "batch"))
    x = torch.randn(4, inputs, 8, 8)
    first, second = block.residual[0][0].weight, block.residual[1].weight
    maps = F.conv2d(normalized(F.conv2d(x, first, stride=stride, padding=1)).clamp(min=0), second, padding=1)
    same = (inputs, stride) == (6, 1)
    shortcut = x if same else normalized(F.conv2d(x, block.shortcut[0].weight, stride=stride))
    torch.testing.assert_close(block(x), (normalized(maps) + shortcut).clamp(min=0), atol=1e-5, rtol=1e-5)
    assert parameters(block) == 9 * inputs * 6 + 9 * 36 + 24 + (0 if same else inputs * 6 + 12)


def test_without_a_shortcut_a_block_is_its_layers_alone():
    block = ResidualBlock(3, 6, 2, Style("relu", "batch"), shortcut=False)
    x = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(block(x), block.residual(x).clamp(min=0))
    assert block.shortcut is None
    shapes = ((3, 224, 224), 1000)
    assert parameters(ResNet(*shapes, stem="original", shortcuts=False)) == 11_689_512 - 173_824
    plain, residual = (ResNet((1, 8, 8), 10, blocks=[1, 1], width=4, shortcuts=s) for s in (False, True))
    names = {name for name, _ in residual.named_parameters()} - {name for name, _ in plain.named_parameters()}
    assert names and all(".shortcut." in name for name in names)
    with torch.no_grad():  # a shortcut carries the input past layers that give nothing
        for net in (plain, residual):
            for each in net.modules():
                if isinstance(each, ResidualBlock):
                    each.residual[1].weight.zero_()
    x = torch.rand(2, 1, 8, 8)
    assert not (plain.features(x)[0] - plain.features(x)[1]).any()
    assert (residual.features(x)[0] - residual.features(x)[1]).any()


def test_normalization_after_the_activation():
    block = ResidualBlock(6, 6, 1, Style("relu", "batch", norm_first=False))
    (first, _, _), second = block.residual
    x = torch.randn(4, 6, 8, 8)
    maps = second(normalized(F.relu(first(x))))
    torch.testing.assert_close(block(x), normalized(F.relu(maps + x)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ["crelu", "maxout", "prelu"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_activations_that_change_the_number_of_maps(activation, norm_first):
    model = ResNet((1, 8, 8), 10, blocks=[1, 2], width=4, activation=activation, norm_first=norm_first)
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(("stem", "sides"), [("small", [28, 14, 7, 4]), ("original", [7, 4, 2, 1])])
def test_the_stem_says_how_large_the_maps_are(stem, sides):
    model = ResNet((1, 28, 28), 10, blocks=[1, 1, 1, 1], width=2, stem=stem)
    x, seen = torch.randn(2, 1, 28, 28), []
    for layer in model.features:
        x = layer(x)
        if isinstance(layer, ResidualBlock):
            seen.append(x.shape[-1])
    assert seen == sides


def test_convolutions_start_with_variance_2_over_fan_in():
    model = ResNet((3, 32, 32), 10)
    weight = model.features[-4].residual[1].weight
    assert abs(weight.var() * 512 * 9 / 2 - 1) < 0.01


def test_instance_normalization_needs_more_than_one_position():
    ResNet((1, 9, 9), 10, width=4, norm="instance")(torch.randn(1, 1, 9, 9))
    with pytest.raises(ConfigError, match=r"ResNet with model\.stem = small needs images of at least 9x9 pixels"):
        ResNet((1, 8, 8), 10, width=4, norm="instance")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("blocks", [2, 0]),
        ("blocks", 2),
        ("blocks", []),
        ("width", 0),
        ("shortcuts", 1),
        ("stem", "tiny"),
        ("norm", "bn"),
        ("dropout", 1.0),
    ],
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        ResNet((1, 28, 28), 10, **{option: value})


def test_features_are_no_image():
    with pytest.raises(ConfigError, match=r"ResNet .* needs images .* inputs of shape \(13,\)"):
        ResNet((13,), 2)


def test_members_under_vmap_give_what_they_give_alone():
    models = [ResNet((1, 8, 8), 3, blocks=[1, 1], width=4, norm="group") for _ in range(3)]
    params, buffers = stack_module_state(models)
    x = torch.randn(4, 1, 8, 8)
    together = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(params, buffers)
    torch.testing.assert_close(together, torch.stack([model(x) for model in models]))
