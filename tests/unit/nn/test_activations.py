import math

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.nn.activations import ACTIVATIONS, SLOPED, activation_layer, channels_after, channels_before

FORMULAS = {
    "identity": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "prelu": lambda x: x if x > 0 else 0.25 * x,
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "softplus": lambda x: math.log1p(math.exp(x)),
}


WIDER = {
    "crelu": lambda channels: [max(x, 0.0) for x in channels] + [max(-x, 0.0) for x in channels],
    "maxout": lambda channels: [max(pair) for pair in zip(channels[::2], channels[1::2], strict=True)],
}


def test_every_activation_has_its_formula():
    assert FORMULAS.keys() | WIDER.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_the_layer_computes_its_formula(name):
    x = torch.tensor([-3.0, -0.5, 0.0, 0.7, 8.0])
    expected = torch.tensor([FORMULAS[name](value) for value in x.tolist()])
    torch.testing.assert_close(activation_layer(name)(x).detach(), expected)


@pytest.mark.parametrize("name", WIDER)
@pytest.mark.parametrize("axis", [1, -1])
def test_the_layers_that_change_the_number_of_channels(name, axis):
    x = torch.randn(2, 6, 4, 6)
    out = activation_layer(name, axis)(x)
    assert out.shape[axis] == channels_after(name, 6)
    where = (1, slice(None), 2, 3) if axis == 1 else (1, 2, 3)
    torch.testing.assert_close(out[where], torch.tensor(WIDER[name](x[where].tolist())))


def test_the_width_before_and_after():
    assert [channels_before(name, 6) for name in ("relu", "crelu", "maxout")] == [6, 6, 12]
    assert [channels_after(name, 6) for name in ("relu", "crelu", "maxout")] == [6, 12, 3]
    with pytest.raises(ConfigError, match=r"model.activation = 'maxout': needs a multiple of 2 channels, not 7"):
        channels_after("maxout", 7)


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("name", SLOPED)
def test_the_slope_below_zero_can_be_chosen(name, slope):
    x = torch.tensor([-3.0, -0.5, 0.0, 0.7])
    expected = torch.tensor([value if value > 0 else slope * value for value in x.tolist()])
    layer = activation_layer(name, slope=slope)
    torch.testing.assert_close(layer(x).detach(), expected)
    assert [p.item() for p in layer.parameters()] == ([pytest.approx(slope)] if name == "prelu" else [])


@pytest.mark.parametrize("pieces", [3, 6])
def test_the_pieces_of_maxout_can_be_chosen(pieces):
    x = torch.randn(2, 6, 4)
    units = [x[:, first : first + pieces].max(1).values for first in range(0, 6, pieces)]
    torch.testing.assert_close(activation_layer("maxout", pieces=pieces)(x), torch.stack(units, 1))
    assert (channels_before("maxout", 5, pieces), channels_after("maxout", 30, pieces)) == (5 * pieces, 30 // pieces)
    with pytest.raises(ConfigError, match=f"needs a multiple of {pieces} channels, not 7"):
        channels_after("maxout", 7, pieces)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"model.activation = 'rellu': must be one of .*did you mean 'relu'\?"):
        activation_layer("rellu")
