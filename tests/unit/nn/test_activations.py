import math

import pytest
import torch

from hpsearch.errors import ConfigError
from hpsearch.nn import ACTIVATIONS, activation_layer

FORMULAS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "softplus": lambda x: math.log1p(math.exp(x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_layer_computes_its_formula(name):
    x = torch.tensor([-3.0, -0.5, 0.0, 0.7, 8.0])
    expected = torch.tensor([FORMULAS[name](value) for value in x.tolist()])
    torch.testing.assert_close(activation_layer(name)(x), expected)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"model.activation = 'rellu': must be one of .*did you mean 'relu'\?"):
        activation_layer("rellu")
