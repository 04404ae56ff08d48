"""Normalized recurrent layers against their formulas, written out for one sample and one step at a time."""

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.init import VarianceScaling
from hpsearch.nn.recurrent import CELLS, Recurrent

B, T, F, H = 2, 6, 3, 4


def layer_normed(sums, norm):
    mean, variance = sums.mean(), ((sums - sums.mean()) ** 2).mean()
    return norm.weight * (sums - mean) / (variance + norm.eps).sqrt() + norm.bias


def slow_elman(cell, x, f):
    w, u, h, states = cell.input.weight, cell.context.weight, torch.zeros(H), []
    for step in x:
        h = f(layer_normed(w @ step + u @ h, cell.input_norms[0]))
        states.append(h)
    return torch.stack(states)


def slow_jordan(cell, x, f):
    w, u, v, y, states = cell.input.weight, cell.context.weight, cell.output.weight, torch.zeros(H), []
    for step in x:
        h = f(layer_normed(w @ step + u @ y, cell.input_norms[0]))
        y = f(layer_normed(v @ h, cell.last_norm[0]))
        states.append(y)
    return torch.stack(states)


def slow_lstm(cell, x, _):
    w, u, h, memory, states = cell.input.weight, cell.context.weight, torch.zeros(H), torch.zeros(H), []
    for step in x:
        gates = layer_normed(w @ step, cell.input_norms[0]) + layer_normed(u @ h, cell.context_norms[0])
        i, f, g, o = gates[:H], gates[H : 2 * H], gates[2 * H : 3 * H], gates[3 * H :]
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(layer_normed(memory, cell.last_norm[0]))
        states.append(h)
    return torch.stack(states)


def slow_gru(cell, x, _):
    w, u, h, states = cell.input.weight, cell.context.weight, torch.zeros(H), []
    for step in x:
        both = layer_normed(w[: 2 * H] @ step, cell.input_norms[0])
        both = both + layer_normed(u[: 2 * H] @ h, cell.context_norms[0])
        reset, update = torch.sigmoid(both[:H]), torch.sigmoid(both[H:])
        new = layer_normed(w[2 * H :] @ step, cell.input_norms[1])
        new = torch.tanh(new + reset * layer_normed(u[2 * H :] @ h, cell.context_norms[1]))
        h = (1 - update) * new + update * h
        states.append(h)
    return torch.stack(states)


SLOW = {"elman": slow_elman, "jordan": slow_jordan, "lstm": slow_lstm, "gru": slow_gru}


def shaken(model):
    """Give scales and shifts values of their own, so that a mixed-up one shows."""
    for norm in model.modules():
        if isinstance(norm, nn.LayerNorm):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
    return model


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_layer_normalization_equals_its_formula_step_by_step(cell, bidirectional):
    model = shaken(Recurrent(cell, F, H, bidirectional=bidirectional, norm="layer", norm_eps=0.1))
    (layer,), x = model.layers, torch.randn(B, T, F)
    expected = torch.stack([SLOW[cell](layer.forwards, sample, torch.tanh) for sample in x])
    if bidirectional:
        backwards = [SLOW[cell](layer.backwards, sample.flip(0), torch.tanh).flip(0) for sample in x]
        expected = torch.cat([expected, torch.stack(backwards)], -1)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("cell", ["elman", "jordan"])
def test_relu(cell):
    model = shaken(Recurrent(cell, F, H, activation="relu", norm="layer"))
    x = torch.randn(T, F)
    torch.testing.assert_close(model(x[None])[0], SLOW[cell](model.layers[0].forwards, x, torch.relu))


def of_norm(cell, norm, **options):
    torch.manual_seed(0)
    return Recurrent(cell, F, H, layers=2, norm=norm, **options)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_weight_normalization_starts_as_the_plain_layer_and_its_lengths_are_parameters(cell, bidirectional):
    plain, normed = (of_norm(cell, norm, bidirectional=bidirectional) for norm in ("none", "weight"))
    x = torch.randn(B, T, F)
    torch.testing.assert_close(normed(x), plain(x))
    lengths = [p for name, p in normed.named_parameters() if name.endswith("original0")]
    assert len(lengths) == (3 if cell == "jordan" else 2) * 2 * (1 + bidirectional)
    normed(x).square().sum().backward()
    weight, length = normed.layers[0].forwards.input.parametrizations.weight, lengths[0]
    across = (weight.original1.grad * weight.original1).sum(1)
    torch.testing.assert_close(across, torch.zeros_like(across), atol=1e-5, rtol=0)
    assert length.grad.abs().min() > 0


@pytest.mark.parametrize("norm", ["layer", "weight"])
@pytest.mark.parametrize("cell", CELLS)
def test_what_follows_the_end_of_a_sequence_is_not_read(cell, norm):
    model = of_norm(cell, norm, bidirectional=True)
    x, lengths = torch.randn(3, T, F), torch.tensor([2, T, 1])
    states = model(x, lengths)
    for each, length, sequence in zip(states, lengths.tolist(), x, strict=True):
        torch.testing.assert_close(each[:length], model(sequence[None, :length])[0])
        assert not each[length:].any()


@pytest.mark.parametrize("cell", CELLS)
def test_both_start_from_the_weights_that_the_plain_layer_draws(cell):
    plain, normed = of_norm(cell, "none"), of_norm(cell, "layer")
    first = plain.layers[0].forwards.input.weight if cell == "jordan" else plain.layers[0].weight_ih_l0
    assert torch.equal(normed.layers[0].forwards.input.weight, first)
    assert not [name for name, _ in normed.named_parameters() if name.endswith("input.bias")]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_are_drawn_one_by_one(cell):
    model = Recurrent(cell, 50, 40, norm="layer")
    VarianceScaling(scale=1.0, fan="avg").initialize(model, 0)
    for part in model.layers[0].forwards.input.weight.chunk(4 if cell == "lstm" else 3):
        assert part.std().item() == pytest.approx((2 / 90) ** 0.5, rel=0.05)


@pytest.mark.parametrize("norm", ["layer", "weight"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_is_trained(cell, norm):
    model = of_norm(cell, norm)
    model(torch.randn(B, T, F)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "batch"}, "model.norm = 'batch': must be one of none, layer, weight"),
        ({"norm_eps": 0.1}, r"model.norm_eps = 0.1: model.norm = 'none' has none, layer has; .*choice\(0.1\)"),
        ({"norm": "weight", "norm_eps": 0.1}, "model.norm = 'weight' has none, layer has"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        Recurrent("gru", F, H, **options)
