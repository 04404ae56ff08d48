import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.mlp import MLP
from hpsearch.models.small_conv import SmallConv
from hpsearch.nn.layers import conv_block, dense_block
from hpsearch.nn.style import Constants, Style, constants_of


def only(model, kind):
    return [module for module in model.modules() if isinstance(module, kind)]


def test_constants_reach_every_layer():
    net = SmallConv(
        (1, 8, 8),
        3,
        [4, 8],
        3,
        hidden=[6],
        activation="leaky_relu",
        norm="batch",
        activation_slope=0.3,
        norm_eps=0.1,
        norm_momentum=0.2,
    )
    assert [layer.negative_slope for layer in only(net, nn.LeakyReLU)] == [0.3] * 3
    assert [(norm.eps, norm.momentum) for norm in only(net, nn.BatchNorm2d)] == [(0.1, 0.2)] * 2
    assert [norm.num_groups for norm in only(MLP((4,), 2, [6, 9], norm="group", norm_groups=3), nn.GroupNorm)] == [3, 3]
    response = dict(norm_size=3, norm_alpha=0.2, norm_beta=0.5, norm_k=1.0)
    (norm,) = only(conv_block(1, 4, 3, Style(norm="local_response", **response)), nn.LocalResponseNorm)
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (3, pytest.approx(0.6), 0.5, 1.0)


def test_units_of_maxout_are_the_maximum_of_so_many_linear_pieces():
    block = dense_block(3, 4, Style("maxout", activation_pieces=5))
    assert (block[0].out_features, block.outputs) == (20, 4)
    x = torch.randn(2, 3)
    torch.testing.assert_close(block(x), block[0](x).view(2, 4, 5).amax(2))


def test_a_deep_network_without_activations_is_a_linear_one():
    x, net = torch.randn(50, 6), MLP((6,), 3, [8, 5, 9], activation="identity")
    weight, bias = torch.eye(6), torch.zeros(6)
    for layer in only(net, nn.Linear):
        weight, bias = layer.weight @ weight, layer.weight @ bias + layer.bias
    torch.testing.assert_close(net(x), x @ weight.T + bias)
    curved = MLP((6,), 3, [8, 5, 9], activation="relu")
    assert not torch.allclose(curved(x) + curved(-x), 2 * curved(torch.zeros(6)[None]), atol=1e-3)


UNUSED = [
    ("activation_slope", 0.2, "activation = 'relu' has none, leaky_relu and prelu have"),
    ("activation_pieces", 3, "activation = 'relu' has none, maxout has"),
    ("norm_eps", 0.1, "norm = 'none' has none, batch, layer, instance and group have"),
    ("norm_momentum", 0.1, "norm = 'none' has none, batch has"),
    ("norm_groups", 2, "norm = 'none' has none, group has"),
    *(
        (name, 1, "norm = 'none' has none, local_response has")
        for name in ("norm_size", "norm_alpha", "norm_beta", "norm_k")
    ),
]


@pytest.mark.parametrize(("name", "value", "said"), UNUSED)
def test_a_constant_that_nothing_uses_is_refused_in_one_line(name, value, said):
    with pytest.raises(
        ConfigError, match=rf"^model.{name} = {value}: model.{said}; in a search .*: space\[model"
    ) as error:
        Style(**{name: value})
    assert "\n" not in str(error.value)
    assert name in Constants.__annotations__
    Style(**{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation_slope", -0.1),
        ("activation_pieces", 1),
        ("norm_eps", 0.0),
        ("norm_momentum", 1.5),
        ("norm_groups", 0),
        ("norm_size", 4),
        ("norm_alpha", -1.0),
        ("norm_beta", "x"),
        ("norm_k", 0),
    ],
)
def test_a_bad_value_is_named(name, value):
    with pytest.raises(ConfigError, match=rf"^model\.{name} = {value!r}"):
        Style(**{name: value})


def test_fully_connected_layers_behind_normalized_convolutions_keep_the_activation_alone():
    style = Style("leaky_relu", "group", False, activation_slope=0.4, norm_groups=2, norm_eps=0.1)
    assert style.without_norm() == Style("leaky_relu", activation_slope=0.4)


def test_the_constants_among_other_arguments():
    assert constants_of({"pool": "max", "norm_eps": 0.1}) == {"norm_eps": 0.1}
