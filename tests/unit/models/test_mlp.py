import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.mlp import MLP
from hpsearch.nn.activations import CReLU, Maxout
from hpsearch.nn.dropout import Dropout, address_dropout


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_the_default_on_digits_and_the_reference_on_fashion_mnist():
    assert parameters(MLP((1, 8, 8), 10)) == 64 * 64 + 64 + 64 * 10 + 10
    assert parameters(MLP((1, 28, 28), 10, hidden=[256])) == 784 * 256 + 256 + 2560 + 10


def test_it_computes_what_the_formula_says():
    model = MLP((3,), 2, hidden=[4, 5], activation="tanh")
    x = torch.randn(6, 3)
    first, second = model.hidden[0][0], model.hidden[1][0]
    h = torch.tanh(torch.tanh(x @ first.weight.T + first.bias) @ second.weight.T + second.bias)
    torch.testing.assert_close(model(x), h @ model.output.weight.T + model.output.bias)


def test_without_hidden_layers_it_is_linear():
    assert parameters(MLP((1, 8, 8), 10, hidden=[])) == 650


@pytest.mark.parametrize("in_shape", [(1, 8, 8), (3, 96, 96), (13,)])
def test_it_builds_for_any_input(in_shape):
    assert MLP(in_shape, 7)(torch.zeros(2, *in_shape)).shape == (2, 7)


@pytest.mark.parametrize(
    ("activation", "kind", "before", "after"),
    [("relu", nn.ReLU, 6, 6), ("crelu", CReLU, 6, 12), ("maxout", Maxout, 12, 6)],
)
def test_an_activation_may_change_the_width(activation, kind, before, after):
    model = MLP((3,), 2, hidden=[6, 6], activation=activation)
    second, activated, _ = model.hidden[1]
    assert (second.in_features, second.out_features, model.output.in_features) == (after, before, after)
    assert isinstance(activated, kind)


@pytest.mark.parametrize(
    ("norm_first", "order"), [(True, [nn.BatchNorm1d, nn.ReLU]), (False, [nn.ReLU, nn.BatchNorm1d])]
)
def test_the_normalization_stands_before_or_after_the_activation(norm_first, order):
    block = MLP((3,), 2, hidden=[6], norm="batch", norm_first=norm_first).hidden[0]
    assert [type(layer) for layer in block] == [nn.Linear, *order, Dropout]


def test_each_layer_may_have_its_own_dropout_rate():
    model = MLP((3,), 2, hidden=[6, 6], dropout=[0.25, 0.5])
    assert [layer.rate.item() for layer in model.modules() if isinstance(layer, Dropout)] == [0.25, 0.5]


def test_dropout_is_drawn_in_training_only():
    model = MLP((20,), 3, dropout=0.5)
    address_dropout(model, seed=0)
    x = torch.randn(4, 20)
    assert not torch.equal(model(x), model.eval()(x))


@pytest.mark.parametrize(
    "option",
    [
        {"hidden": 64},
        {"hidden": [0]},
        {"activation": "rely"},
        {"dropout": 1.0},
        {"dropout": [0.5, 0.5]},
        {"dropout": "0"},
        {"norm": "batchnorm"},
        {"norm": "instance"},
        {"norm": "local_response"},
        {"norm_first": 1},
    ],
)
def test_a_bad_option_is_named(option):
    with pytest.raises(ConfigError, match=rf"^model\.{next(iter(option))}"):
        MLP((4,), 2, **option)
