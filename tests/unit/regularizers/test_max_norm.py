import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import MaxNorm
from hpsearch.regularizers.max_norm import member_constraints


def test_units_over_the_limit_are_scaled_back_and_the_others_stay():
    net = nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(20, 4))
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    MaxNorm(limit=0.55).apply_(net.named_parameters())
    scaled = 0
    for name, value in net.named_parameters():
        for old, new in zip(before[name], value.detach(), strict=True):
            norm = old.norm()
            if old.ndim and norm > 0.55:
                scaled += 1
                torch.testing.assert_close(new, old * 0.55 / norm)
            else:
                assert torch.equal(new, old)
    assert 0 < scaled < 9


def test_members_are_limited_at_once_as_each_is_alone():
    torch.manual_seed(1)
    stacked = {"a.weight": torch.randn(4, 5, 2, 3, 3), "b.weight": torch.randn(4, 3, 6), "b.bias": torch.ones(4, 3) * 9}
    limited = [(), (MaxNorm(limit=0.5),), (MaxNorm(limit=2.0),), ()]
    expected = {name: each.clone() for name, each in stacked.items()}
    for k, own in enumerate(limited):
        for constraint in own:
            constraint.apply_([(name, each[k]) for name, each in expected.items()])
    apply = member_constraints(limited)
    apply([*stacked.items()])
    assert all(torch.equal(each, expected[name]) for name, each in stacked.items())
    assert stacked["b.weight"][1].norm(dim=1).max() < 0.51 < stacked["b.weight"][0].norm(dim=1).max()


class Further(MaxNorm):
    """A constraint of a user's own."""


@pytest.mark.parametrize("own", [(Further(),), (MaxNorm(), MaxNorm())])
def test_other_constraints_are_applied_member_by_member(own):
    assert member_constraints([(), own]) is None


def test_a_unit_of_zeros_stays():
    weight = nn.Parameter(torch.zeros(2, 3))
    MaxNorm(limit=1.0).apply_([("weight", weight)])
    assert torch.equal(weight.data, torch.zeros(2, 3))


def test_it_leaves_no_graph():
    weight = nn.Parameter(torch.full((2, 3), 9.0))
    MaxNorm(limit=1.0).apply_([("weight", weight)])
    assert weight.grad_fn is None and weight.requires_grad


def test_a_bad_limit_is_named():
    with pytest.raises(ConfigError, match=r"^regularizer\.max_norm\.limit = 0"):
        MaxNorm(limit=0)
