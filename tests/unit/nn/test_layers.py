import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.activations import ACTIVATIONS
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.layers import check_images, check_widths, conv_block, dense_block, hidden_layers
from hpsearch.nn.normalization import NORMS
from hpsearch.nn.style import Style


def test_each_layer_has_its_activation_and_dropout():
    layers = hidden_layers(10, [7, 5], Style("tanh"), 0.25)
    assert [type(layer) for block in layers for layer in block] == [nn.Linear, nn.Tanh, Dropout] * 2
    assert [tuple(block[0].weight.shape) for block in layers] == [(7, 10), (5, 7)]
    assert [block[2].rate.item() for block in layers] == [0.25, 0.25]
    assert layers.outputs == 5


def test_no_layers():
    layers = hidden_layers(10, [], Style(), 0.0)
    assert (len(layers), layers.outputs) == (0, 10)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_block_says_how_many_channels_come_out(activation, norm, norm_first):
    block = conv_block(3, 8, 3, Style(activation, norm, norm_first), dropout=0.5)
    x = torch.randn(2, 3, 6, 6)
    assert block(x).shape == (2, block.outputs, 6, 6)
    assert block.outputs == (16 if activation == "crelu" else 8)
    block(x).sum().backward()
    assert all(p.grad is not None for p in block.parameters())


@pytest.mark.parametrize(
    ("norm", "norm_first", "bias"), [("batch", True, False), ("batch", False, True), ("layer", True, True)]
)
def test_only_a_bias_that_would_do_nothing_is_left_out(norm, norm_first, bias):
    assert (conv_block(3, 8, 3, Style("relu", norm, norm_first))[0].bias is not None) == bias
    assert (dense_block(3, 8, Style("relu", norm, norm_first))[0].bias is not None) == bias


def test_weight_normalization_goes_into_the_layer():
    plain, normalized = (dense_block(4, 3, Style("tanh", norm)) for norm in ("none", "weight"))
    linear = normalized[0]
    g, v = linear.parametrizations.weight.original0, linear.parametrizations.weight.original1
    assert (g.shape, v.shape, len(normalized)) == ((3,), (3, 4), len(plain))
    with torch.no_grad():
        g.copy_(torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(linear.weight.norm(dim=1), torch.tensor([1.0, 2.0, 3.0]))


def test_sizes_of_what_comes_out():
    assert conv_block(1, 2, 3, Style(), stride=2)(torch.zeros(1, 1, 9, 9)).shape == (1, 2, 5, 5)
    assert conv_block(1, 2, 3, Style(), padding=0)(torch.zeros(1, 1, 9, 9)).shape == (1, 2, 7, 7)


def test_images_that_are_too_small_or_none():
    check_images("X", (1, 8, 9), 8)
    with pytest.raises(ConfigError, match=r"^X needs images of at least 9x9 pixels, the data has 8x9; try Y$"):
        check_images("X", (1, 8, 9), 9, "try Y")
    with pytest.raises(ConfigError, match=r"^X needs images .* shape \(13,\)$"):
        check_images("X", (13,), 1)


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


def test_the_number_of_widths():
    with pytest.raises(ConfigError, match=r"model.channels = \[6\]: must be 2 numbers"):
        check_widths("model.channels", [6], 2)


@pytest.mark.filterwarnings("error:There is a performance drop")
@pytest.mark.parametrize(
    "style",
    [*(Style(activation) for activation in ACTIVATIONS), *(Style(norm=norm) for norm in NORMS)],
    ids=lambda style: f"{style.activation}-{style.norm}",
)
def test_members_stacked_under_vmap_compute_what_each_computes_alone(style):
    members = [conv_block(3, 8, 3, style) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(members)
    x = torch.randn(5, 3, 6, 6)

    def forward(parameters, buffers):
        return torch.func.functional_call(members[0], (parameters, buffers), (x,))

    torch._C._debug_only_display_vmap_fallback_warnings(True)
    try:
        stacked = torch.vmap(forward)(parameters, buffers)
        stacked.square().sum().backward()
    finally:
        torch._C._debug_only_display_vmap_fallback_warnings(False)
    for place, member in enumerate(members):
        alone = member(x)
        torch.testing.assert_close(stacked[place], alone, atol=1e-5, rtol=1e-5)
        alone.square().sum().backward()
        for name, parameter in member.named_parameters():
            torch.testing.assert_close(parameters[name].grad[place], parameter.grad, atol=1e-3, rtol=1e-3)
