import math

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.optim.adam import Adam, AdamW

CURVATURE = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
START = [1.0, -2.0, 0.5]
OPTIONS = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}


def trained(make, steps=100, groups=False, restart=None, **options):
    """Train on sum(curvature * w ** 2) / 2; at step `restart`, go on in a new optimizer from the old one's state."""
    weight = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    other = torch.ones(2, dtype=torch.float64, requires_grad=True)
    parts = [{"params": [weight]}, {"params": [other], "lr": 0.5, "weight_decay": 0.0}] if groups else [weight]
    optimizer, path = make(parts, **options), []
    for step in range(steps):
        if step == restart:
            state = optimizer.state_dict()
            optimizer = make(parts, **options)
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        ((CURVATURE * weight**2).sum() / 2 + (other**2).sum()).backward()
        optimizer.step()
        path.append([*weight.tolist(), *other.tolist()])
    return torch.tensor(path, dtype=torch.float64)


def by_hand(steps, lr, betas, eps, weight_decay, amsgrad, decoupled):
    """Adam without bias correction, number by number."""
    w, path = list(START), []
    m, s, top = [0.0] * 3, [0.0] * 3, [0.0] * 3
    for _ in range(steps):
        for i, c in enumerate(CURVATURE.tolist()):
            g = c * w[i] + (0.0 if decoupled else weight_decay * w[i])
            w[i] -= lr * weight_decay * w[i] if decoupled else 0.0
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            s[i] = betas[1] * s[i] + (1 - betas[1]) * g**2
            top[i] = max(top[i], s[i])
            w[i] -= lr * m[i] / (math.sqrt(top[i] if amsgrad else s[i]) + eps)
        path.append(list(w))
    return torch.tensor(path, dtype=torch.float64)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("make", [Adam, AdamW])
def test_without_the_correction_it_is_the_formula(make, amsgrad):
    found = trained(make, bias_correction=False, amsgrad=amsgrad, **OPTIONS)[:, :3]
    expected = by_hand(100, amsgrad=amsgrad, decoupled=make is AdamW, **OPTIONS)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("ours", "theirs"), [(Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)])
def test_with_the_correction_it_is_torchs_bit_for_bit(ours, theirs):
    for options in (OPTIONS, {**OPTIONS, "amsgrad": True}):
        assert torch.equal(trained(ours, groups=True, **options), trained(theirs, groups=True, **options))


def test_the_first_step_is_longer_by_the_share_of_the_two_corrections():
    plain, corrected = (
        trained(Adam, steps=1, bias_correction=each, lr=0.01, eps=1e-12)[0, :3] - torch.tensor(START)
        for each in (False, True)
    )
    torch.testing.assert_close(plain / corrected, torch.full((3,), 0.1 / math.sqrt(0.001), dtype=torch.float64))


@pytest.mark.parametrize("correction", [False, True])
def test_it_goes_on_from_a_state_as_if_nothing_had_happened(correction):
    whole = trained(AdamW, groups=True, bias_correction=correction, **OPTIONS)
    assert torch.equal(trained(AdamW, groups=True, restart=40, bias_correction=correction, **OPTIONS), whole)


def test_groups_have_their_own_rate_and_decay_and_a_missing_gradient_is_left_alone():
    one, two, three = (torch.ones(2, requires_grad=True) for _ in range(3))
    groups = [{"params": [one], "weight_decay": 0.0}, {"params": [two, three], "lr": 0.2}]
    optimizer = AdamW(groups, lr=0.1, betas=(0.0, 0.0), eps=1e-30, weight_decay=0.5, bias_correction=False)
    (one.sum() - two.sum()).backward()
    optimizer.step()
    assert one.tolist() == pytest.approx([0.9] * 2)
    assert two.tolist() == pytest.approx([1.1] * 2) and three.tolist() == [1.0, 1.0]


def test_a_bad_value_is_named():
    with pytest.raises(ConfigError, match=r"^optimizer\.bias_correction = 1: must be true or false"):
        Adam([torch.ones(1)], bias_correction=1)
