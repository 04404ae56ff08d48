import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.optim.sgd import SGD
from hpsearch.schedules import table

CURVATURE = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
START = [1.0, -2.0, 0.5]
STEPS = 60
CONSTANT = [0.03] * STEPS
FALLING = [0.03 * 0.9**step for step in range(STEPS)]
FORMS = {
    "plain": {"momentum": 0.9},
    "dampened": {"momentum": 0.9, "dampening": 0.3},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "no momentum": {"momentum": 0.0},
    "decayed": {"momentum": 0.8, "weight_decay": 0.1},
}


def trained(make, rates, momenta=None, restart=None, **options):
    """Train on sum(curvature * w ** 2) / 2 at a rate, and a momentum, of each step."""
    weight = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, path = make([weight], lr=rates[0], **options), []
    for step, rate in enumerate(rates):
        if step == restart:
            state, optimizer = optimizer.state_dict(), make([weight], lr=rates[0], **options)
            optimizer.load_state_dict(state)
        optimizer.param_groups[0]["lr"] = rate
        if momenta:
            optimizer.param_groups[0]["momentum"] = momenta[step]
        optimizer.zero_grad()
        ((CURVATURE * weight**2).sum() / 2).backward()
        optimizer.step()
        path.append(weight.tolist())
    return torch.tensor(path, dtype=torch.float64)


def by_hand(rates, momenta, nesterov=False, weight_decay=0.0, dampening=0.0):
    """The rate inside the velocity, number by number."""
    w, v, path = list(START), [0.0] * 3, []
    for step, (lr, m) in enumerate(zip(rates, momenta, strict=True)):
        for i, c in enumerate(CURVATURE.tolist()):
            g = (c + weight_decay) * w[i]
            v[i] = m * v[i] - lr * (1 - (dampening if step else 0.0)) * g
            w[i] += m * v[i] - lr * g if nesterov else v[i]
        path.append(list(w))
    return torch.tensor(path, dtype=torch.float64)


@pytest.mark.parametrize("rates", [CONSTANT, FALLING], ids=["constant", "falling"])
@pytest.mark.parametrize("case", FORMS)
def test_inside_it_is_the_formula(case, rates):
    found = trained(SGD, rates, form="inside", **FORMS[case])
    options = dict(FORMS[case])
    expected = by_hand(rates, [options.pop("momentum")] * STEPS, **options)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def test_a_momentum_that_changes_is_that_of_the_step():
    momenta = [0.5 if step < 20 else 0.9 for step in range(STEPS)]
    found = trained(SGD, FALLING, momenta, form="inside", momentum=0.9)
    torch.testing.assert_close(found, by_hand(FALLING, momenta), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("case", FORMS)
def test_outside_it_is_torchs_bit_for_bit_and_at_a_constant_rate_inside_is_the_same(case):
    theirs = trained(torch.optim.SGD, CONSTANT, **FORMS[case])
    assert torch.equal(trained(SGD, CONSTANT, **FORMS[case]), theirs)
    torch.testing.assert_close(trained(SGD, CONSTANT, form="inside", **FORMS[case]), theirs, rtol=1e-9, atol=1e-12)


def test_they_differ_where_the_rate_changes_and_from_that_step_on():
    rates = table(None, 0.03, 0.9, STEPS, 1, warmup_steps=5).lr.tolist()
    inside, outside = (trained(SGD, rates, form=form, momentum=0.9) for form in ("inside", "outside"))
    apart = (inside - outside).abs().amax(dim=1)
    assert apart[0] == pytest.approx(0, abs=1e-15) and apart[1] > 1e-3
    rates = [*CONSTANT[:30], *FALLING[:30]]  # FALLING begins at the constant rate
    inside, outside = (trained(SGD, rates, form=form, momentum=0.9) for form in ("inside", "outside"))
    apart = (inside - outside).abs().amax(dim=1)
    assert apart[:31].max() < 1e-12 < 1e-5 < apart[31]
    still = {"momentum": 0.0}
    torch.testing.assert_close(trained(SGD, rates, form="inside", **still), trained(SGD, rates, **still))


def test_it_goes_on_from_a_state_and_refuses_that_of_the_other_form():
    for form in ("inside", "outside"):
        options = {"momentum": 0.9, "form": form}
        assert torch.equal(trained(SGD, FALLING, restart=25, **options), trained(SGD, FALLING, **options))
    states = {}
    for form in ("inside", "outside"):
        weight = torch.ones(2, requires_grad=True)
        optimizer = SGD([weight], lr=0.1, momentum=0.9, form=form)
        weight.sum().backward()
        optimizer.step()
        states[form] = optimizer.state_dict()
    for form, other in (("inside", "outside"), ("outside", "inside")):
        with pytest.raises(
            ConfigError, match=rf"optimizer\.form = {form}: the state to go on from is of the form {other}"
        ):
            SGD([torch.ones(2)], lr=0.1, momentum=0.9, form=form).load_state_dict(states[other])


def test_groups_have_their_own_rate_and_a_missing_gradient_is_left_alone():
    one, two, three = (torch.ones(2, requires_grad=True) for _ in range(3))
    optimizer = SGD([{"params": [one]}, {"params": [two, three], "lr": 0.2}], lr=0.1, momentum=0.9, form="inside")
    (one.sum() - two.sum()).backward()
    optimizer.step()
    assert one.tolist() == pytest.approx([0.9] * 2)
    assert two.tolist() == pytest.approx([1.2] * 2) and three.tolist() == [1.0, 1.0]


def test_a_form_that_there_is_not_is_named():
    with pytest.raises(ConfigError, match=r"^optimizer\.form = 'torch'"):
        SGD([torch.ones(1)], lr=0.1, form="torch")
