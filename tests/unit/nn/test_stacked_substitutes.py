"""Layers in the place of torch's against those."""

import copy

import pytest
import torch
from torch import nn

from hpsearch.nn.recurrent import _states
from hpsearch.nn.stacked import fault
from hpsearch.nn.stacked_substitutes import substituted

KINDS = {
    "rnn": lambda **options: nn.RNN(3, 4, **options),
    "rnn of rectifiers": lambda **options: nn.RNN(3, 4, nonlinearity="relu", **options),
    "lstm": lambda **options: nn.LSTM(3, 4, **options),
    "gru": lambda **options: nn.GRU(3, 4, **options),
}
OPTIONS = {
    "plain": {"batch_first": True},
    "deep, both ways, steps first": {"num_layers": 2, "bidirectional": True},
    "no bias": {"bias": False, "batch_first": True},
}


def pair(make, **options):
    torch.manual_seed(0)
    layer = make(**options).double()
    return layer, substituted(copy.deepcopy(layer))


def flat(outputs):
    return [each for part in outputs for each in (part if isinstance(part, tuple) else [part])]


def assert_same(layer, other, outputs, others):
    weights = [torch.randn_like(each) for each in outputs]
    for module, found in ((layer, outputs), (other, others)):
        module.zero_grad()
        sum((each * weight).sum() for each, weight in zip(found, weights, strict=True)).backward()
    for found, expected in zip(others, outputs, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    for (name, parameter), (other_name, found) in zip(layer.named_parameters(), other.named_parameters(), strict=True):
        assert name == other_name
        torch.testing.assert_close(found.grad, parameter.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_recurrent_layer_returns_what_that_of_torch_returns(kind, options, started):
    layer, other = pair(KINDS[kind], **OPTIONS[options])
    x = torch.randn(5, 5, 3, dtype=torch.float64)
    start = torch.randn(layer.num_layers * (1 + layer.bidirectional), 5, 4, dtype=torch.float64)
    rest = [] if not started else [(start, 2 * start) if kind == "lstm" else start]
    assert type(other) is not type(layer)
    assert_same(layer, other, flat(layer(x, *rest)), flat(other(x, *rest)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_the_end_of_a_sequence_is_not_read(kind):
    layer, other = pair(KINDS[kind], batch_first=True, bidirectional=True)
    x, lengths = torch.randn(3, 6, 3, dtype=torch.float64), torch.tensor([2, 6, 1])
    assert_same(layer, other, [_states(layer, x, lengths)], [_states(other, x, lengths)])


def test_projections_are_not_substituted():
    layer = nn.LSTM(3, 4, proj_size=2, batch_first=True)
    assert substituted(layer) is layer
    assert "not implemented" in fault(layer, torch.randn(2, 5, 3))


def test_padding_gets_no_gradient():
    layer, other = pair(lambda: nn.Embedding(5, 3, padding_idx=2))
    with torch.no_grad():
        layer.weight[2] = other.weight[2] = 7.0
    x = torch.tensor([[2, 1, 4], [3, 2, 2]])
    assert_same(layer, other, [layer(x)], [other(x)])
    assert other.weight.grad[2].eq(0).all()
