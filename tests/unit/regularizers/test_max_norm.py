import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import MaxNorm


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
