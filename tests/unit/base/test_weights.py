"""What counts as a weight, and that weight decay, penalties and norm limits reach one that is normalized."""

import pytest
import torch
from torch import nn

from hpsearch.base.weights import is_weight
from hpsearch.nn.normalization import weighted
from hpsearch.optim.groups import parameter_groups
from hpsearch.regularizers import L2, MaxNorm


def normalized(theirs=False):
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4))
    for place in (0, 2):
        if theirs:
            nn.utils.parametrizations.weight_norm(net[place])
        else:
            weighted(net[place], "weight")
        with torch.no_grad():
            net[place].weight = 5 * torch.randn_like(net[place].weight)
    return net


def effective(net):
    return [net[place].weight.detach().clone() for place in (0, 2)]


@pytest.mark.parametrize("theirs", [False, True])
def test_of_a_normalized_weight_it_is_the_lengths(theirs):
    net = normalized(theirs)
    names = {name for name, p in net.named_parameters() if is_weight(name, p)}
    assert names == {f"{place}.parametrizations.weight.original0" for place in (0, 2)}


@pytest.mark.parametrize("theirs", [False, True])
def test_max_norm_limits_the_weights_that_the_model_uses(theirs):
    net = normalized(theirs)
    before = effective(net)
    MaxNorm(limit=1.5).apply_(net.named_parameters())
    for old, new in zip(before, effective(net), strict=True):
        norms = old.flatten(1).norm(dim=1)
        assert (norms > 1.5).any()
        factor = (1.5 / norms).clamp(max=1).view(-1, *[1] * (old.ndim - 1))
        torch.testing.assert_close(new, old * factor)


def test_l2_is_that_of_the_weights_that_the_model_uses():
    net = normalized()
    expected = 0.3 / 2 * sum(weight.square().sum() for weight in effective(net))
    torch.testing.assert_close(L2(strength=0.3).penalty(net.named_parameters()).detach(), expected)


def test_weight_decay_shrinks_the_weights_that_the_model_uses():
    net = normalized()
    before = effective(net)
    optimizer = torch.optim.SGD(parameter_groups(net, 0.5, decay_bias_and_norm=False), lr=0.1, weight_decay=0.5)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for old, new in zip(before, effective(net), strict=True):
        torch.testing.assert_close(new, 0.95 * old)
