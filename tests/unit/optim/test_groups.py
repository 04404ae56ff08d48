import pytest
import torch
from torch import nn

from hpsearch.optim.groups import parameter_groups


def model():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.Flatten(), nn.Linear(16, 8), nn.LayerNorm(8), nn.GRU(8, 2)
    )


def names(net, group):
    by_id = {id(p): name for name, p in net.named_parameters()}
    return {by_id[id(p)] for p in group["params"]}


def test_biases_and_normalization_do_not_decay():
    net = model()
    decayed, spared = parameter_groups(net, 0.1, decay_bias_and_norm=False)
    assert decayed["weight_decay"] == 0.1 and spared["weight_decay"] == 0.0
    assert names(net, decayed) == {"0.weight", "4.weight", "6.weight_ih_l0", "6.weight_hh_l0"}
    assert names(net, decayed) | names(net, spared) == {name for name, _ in net.named_parameters()}


def test_everything_decays_when_asked():
    net = model()
    (group,) = parameter_groups(net, 0.1, decay_bias_and_norm=True)
    assert "weight_decay" not in group
    assert len(group["params"]) == len(list(net.parameters()))


def test_without_decay_there_is_one_group():
    assert len(parameter_groups(model(), 0.0, decay_bias_and_norm=False)) == 1


def test_a_bias_of_two_axes_does_not_decay():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.position_bias = nn.Parameter(torch.ones(3, 4))
            self.weight = nn.Parameter(torch.ones(3, 4))

    net = Tokens()
    decayed, spared = parameter_groups(net, 0.1, decay_bias_and_norm=False)
    assert names(net, decayed) == {"weight"} and names(net, spared) == {"position_bias"}


def test_a_model_of_biases_and_norms_has_no_empty_group():
    (group,) = parameter_groups(nn.BatchNorm1d(3), 0.1, decay_bias_and_norm=False)
    assert group["weight_decay"] == 0.0 and len(group["params"]) == 2


def test_frozen_parameters_are_left_out():
    net = model()
    net[0].requires_grad_(False)
    for decay in (0.0, 0.1):
        for group in parameter_groups(net, decay, decay_bias_and_norm=False):
            assert not names(net, group) & {"0.weight", "0.bias"}


@pytest.mark.parametrize("everything", [False, True])
def test_a_step_shrinks_exactly_what_decays(everything):
    net = nn.Linear(3, 2)
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = torch.optim.SGD(parameter_groups(net, 0.5, everything), lr=0.1, weight_decay=0.5)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(net.weight, before[0] * 0.95)
    torch.testing.assert_close(net.bias, before[1] * (0.95 if everything else 1.0))
