"""Every penalty's gradient against finite differences, and what it leaves alone."""

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import L1, L2, ElasticNet, Lp

MAKE = {
    "l1": lambda **fields: L1(**{"strength": 0.3} | fields),
    "l2": lambda **fields: L2(**{"strength": 0.3} | fields),
    "lp 1": lambda **fields: Lp(**{"strength": 0.3, "p": 1.0} | fields),
    "lp 1.5": lambda **fields: Lp(**{"strength": 0.3, "p": 1.5} | fields),
    "lp 3": lambda **fields: Lp(**{"strength": 0.3, "p": 3.0} | fields),
    "elastic net": lambda **fields: ElasticNet(**{"strength": 0.3, "l1_ratio": 0.25} | fields),
}


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()


@pytest.mark.parametrize("bias_and_norm", [False, True])
@pytest.mark.parametrize("name", MAKE)
def test_gradients_are_finite_differences(name, bias_and_norm):
    net, regularizer, size = model(), MAKE[name](bias_and_norm=bias_and_norm), 1e-6
    regularizer.penalty(net.named_parameters()).backward()
    for parameter in net.parameters():
        flat = parameter.data.view(-1)
        for i in range(len(flat)):
            before = flat[i].item()
            values = []
            for sign in (1, -1):
                flat[i] = before + sign * size
                values.append(regularizer.penalty(net.named_parameters()).item())
            flat[i] = before
            if before == 0:  # |w| has no derivative there; every sum is even
                values = [0.0, 0.0]
            found = 0.0 if parameter.grad is None else parameter.grad.view(-1)[i].item()
            assert found == pytest.approx((values[0] - values[1]) / (2 * size), abs=1e-6)


@pytest.mark.parametrize("name", MAKE)
def test_biases_and_norms_are_left_alone_unless_asked(name):
    for asked in (False, True):
        net = model()
        MAKE[name](bias_and_norm=asked).penalty(net.named_parameters()).backward()
        touched = {key for key, p in net.named_parameters() if p.grad is not None}
        assert touched == ({key for key, _ in net.named_parameters()} if asked else {"0.weight", "2.weight"})


@pytest.mark.parametrize("name", MAKE)
def test_a_weight_of_zero_has_no_gradient(name):
    weight = nn.Parameter(torch.zeros(2, 2))
    MAKE[name]().penalty([("weight", weight)]).backward()
    assert torch.equal(weight.grad, torch.zeros(2, 2))


def test_ends_of_an_elastic_net_are_l1_and_l2():
    named = list(model().named_parameters())
    for ratio, other in ((0.0, L2(strength=0.3)), (1.0, L1(strength=0.3))):
        found = ElasticNet(strength=0.3, l1_ratio=ratio).penalty(named)
        torch.testing.assert_close(found, other.penalty(named))


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: L1(strength=-1.0), "l1.strength"),
        (lambda: Lp(strength=0.1, p=0.9), "lp.p"),
        (lambda: Lp(strength=None), "lp.strength"),
        (lambda: ElasticNet(strength=0.1, l1_ratio=1.1), "elastic_net.l1_ratio"),
        (lambda: ElasticNet(strength="a"), "elastic_net.strength"),
    ],
)
def test_a_bad_field_is_named(make, key):
    with pytest.raises(ConfigError, match=rf"^regularizer\.{key} = "):
        make()
