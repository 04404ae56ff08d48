import pytest
from torch import nn

from hpsearch.errors import ConfigError
from hpsearch.nn import Dropout, check_widths, hidden_layers


def test_each_layer_has_its_activation_and_dropout():
    layers = hidden_layers(10, [7, 5], "tanh", 0.25)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.Tanh, Dropout] * 2
    assert [tuple(layer.weight.shape) for layer in layers if isinstance(layer, nn.Linear)] == [(7, 10), (5, 7)]
    assert {layer.rate.item() for layer in layers if isinstance(layer, Dropout)} == {0.25}


def test_no_layers():
    assert len(hidden_layers(10, [], "relu", 0.0)) == 0


@pytest.mark.parametrize("widths", [64, "64", None, 3.5])
def test_widths_that_are_no_list(widths):
    with pytest.raises(ConfigError) as error:
        check_widths("model.hidden", widths)
    assert str(error.value) == f"model.hidden = {widths!r}: must be a list of whole numbers, such as [64, 32]"


@pytest.mark.parametrize("width", [0, -2, 1.5, True, "8", None])
def test_a_bad_width_is_named_with_its_place(width):
    with pytest.raises(ConfigError) as error:
        check_widths("model.hidden", [8, width])
    assert str(error.value) == f"model.hidden[1] = {width!r}: must be a whole number >= 1"
