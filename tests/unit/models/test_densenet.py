import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.densenet import DenseLayer, DenseNet
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.style import Style

SLIM = {"growth_rate": 4, "blocks": [2, 2], "bottleneck": 2}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_densenet_121_has_the_published_number_of_parameters():
    assert parameters(DenseNet((3, 224, 224), 1000, stem="original")) == 7_978_856


def test_a_layer_keeps_its_input_and_adds_maps():
    layer = DenseLayer(5, 3, 4, Style(norm="batch"), 0.0)
    x = torch.randn(4, 5, 6, 6)
    (norm, act), first, (second_norm, _), second = list(layer.added)[:-1]
    assert [type(module) for module in (norm, act, first)] == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d]
    assert (first.kernel_size, first.out_channels, second.kernel_size) == ((1, 1), 12, (3, 3))
    out = layer(x)
    torch.testing.assert_close(out[:, :5], x)
    torch.testing.assert_close(out[:, 5:], second(second_norm(first(norm(x).relu())).relu()))


def test_every_layer_sees_all_maps_before_it():
    model = DenseNet((1, 16, 16), 10, growth_rate=4, blocks=[3], bottleneck=0, compression=1.0)
    seen = [layer.added[1].in_channels for layer in model.features if isinstance(layer, DenseLayer)]
    assert seen == [8, 12, 16]
    assert model.output.in_features == 20


def test_without_shortcuts_a_layer_sees_the_one_before_it_alone():
    layer = DenseLayer(5, 3, 4, Style(norm="batch"), 0.0, shortcut=False)
    x = torch.randn(4, 5, 6, 6)
    torch.testing.assert_close(layer(x), layer.added(x))
    model = DenseNet((1, 16, 16), 10, growth_rate=4, blocks=[3, 2], bottleneck=0, shortcuts=False)
    seen = [layer.added[1].in_channels for layer in model.features if isinstance(layer, DenseLayer)]
    assert seen == [8, 4, 4, 2, 4]
    assert model.output.in_features == 4
    shapes = ((3, 224, 224), 1000)
    assert parameters(DenseNet(*shapes, stem="original", shortcuts=False)) == 2_436_488
    assert parameters(DenseNet(*shapes, stem="original", shortcuts=False, growth_rate=58)) == 7_913_128


def test_a_transition_keeps_its_share_of_the_maps():
    for compression, kept in ((0.5, 8), (0.25, 4), (1.0, 16)):
        model = DenseNet((1, 16, 16), 10, compression=compression, **SLIM)
        transitions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
        assert [(layer.in_channels, layer.out_channels) for layer in transitions] == [(16, kept)]


def test_the_order_of_normalization_and_activation():
    model = DenseNet((1, 16, 16), 10, norm="batch", norm_first=False, **SLIM)
    layer = next(layer for layer in model.features if isinstance(layer, DenseLayer))
    assert [type(part) for part in layer.added[0]] == [nn.ReLU, nn.BatchNorm2d]


@pytest.mark.parametrize("activation", ["crelu", "maxout"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_activations_that_change_the_number_of_maps(activation, norm_first):
    model = DenseNet((1, 8, 8), 10, activation=activation, norm_first=norm_first, **SLIM)
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_dropout_follows_every_layer():
    model = DenseNet((1, 8, 8), 10, dropout=0.2, **SLIM)
    assert [layer.rate.item() for layer in model.modules() if isinstance(layer, Dropout)] == [pytest.approx(0.2)] * 4


@pytest.mark.parametrize(
    ("stem", "norm", "smallest"),
    [("small", "batch", 8), ("small", "instance", 16), ("original", "batch", 29), ("original", "instance", 61)],
)
def test_the_smallest_size_is_the_one_named(stem, norm, smallest):
    options = {"stem": stem, "norm": norm, "growth_rate": 2, "blocks": [1, 1, 1, 1]}
    DenseNet((1, smallest, smallest), 2, **options)(torch.randn(2, 1, smallest, smallest))
    with pytest.raises(ConfigError, match=f"model.stem = {stem} needs images of at least {smallest}x{smallest} pixels"):
        DenseNet((1, smallest, smallest - 1), 2, **options)
    with pytest.raises((RuntimeError, ValueError)):
        model = DenseNet((1, smallest, smallest), 2, **options)
        model(torch.randn(2, 1, smallest - 1, smallest - 1))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("growth_rate", 0),
        ("blocks", []),
        ("blocks", [1, "2"]),
        ("bottleneck", -1),
        ("compression", 0.0),
        ("shortcuts", "no"),
        ("compression", 1.5),
        ("stem", "none"),
        ("dropout", 1.0),
    ],
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        DenseNet((1, 28, 28), 10, **{option: value})
