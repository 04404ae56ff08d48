import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.optim.lion import Lion


def slow_lion(w, curvature, steps, lr, beta1, beta2, decay):
    """Lion on sum(curvature * w ** 2) / 2, number by number."""
    momenta = [0.0] * len(w)
    for _ in range(steps):
        for i, g in enumerate([c * x for c, x in zip(curvature, w, strict=True)]):
            direction = beta1 * momenta[i] + (1 - beta1) * g
            sign = (direction > 0) - (direction < 0)
            w[i] -= lr * (sign + decay * w[i])
            momenta[i] = beta2 * momenta[i] + (1 - beta2) * g
    return w


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_it_is_the_scalar_version_on_a_quadratic(decay):
    curvature = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    start = [1.0, -2.0, 0.5]
    weight = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = Lion([weight], lr=0.013, betas=(0.9, 0.95), weight_decay=decay)
    for _ in range(300):
        optimizer.zero_grad()
        (curvature * weight**2).sum().div(2).backward()
        optimizer.step()
    expected = slow_lion(list(start), curvature.tolist(), 300, 0.013, 0.9, 0.95, decay)
    assert weight.tolist() == pytest.approx(expected, rel=1e-9)


def test_groups_have_their_own_rate_and_decay_and_a_missing_gradient_is_left_alone():
    one, two, three = (torch.ones(2, requires_grad=True) for _ in range(3))
    groups = [{"params": [one], "weight_decay": 0.0}, {"params": [two, three], "lr": 0.2}]
    optimizer = Lion(groups, lr=0.1, weight_decay=0.5)
    (one.sum() - two.sum()).backward()
    optimizer.step()
    assert one.tolist() == pytest.approx([0.9] * 2)
    assert two.tolist() == pytest.approx([1 * (1 - 0.1) + 0.2] * 2)
    assert three.tolist() == [1, 1]


def test_its_state_goes_on():
    def run(weight, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            weight.square().sum().backward()
            optimizer.step()

    whole = torch.tensor([1.0, -0.7], requires_grad=True)
    run(whole, Lion([whole], lr=0.03), 50)
    part = torch.tensor([1.0, -0.7], requires_grad=True)
    first = Lion([part], lr=0.03)
    run(part, first, 25)
    second = Lion([part], lr=0.5)
    second.load_state_dict(first.state_dict())
    run(part, second, 25)
    assert torch.equal(whole, part)


@pytest.mark.parametrize(("field", "value"), [("lr", 0.0), ("betas", (0.9, 1.0)), ("weight_decay", -1.0)])
def test_a_bad_value_is_named(field, value):
    with pytest.raises(ConfigError, match=rf"^optimizer\.{field}"):
        Lion([torch.zeros(1, requires_grad=True)], **{field: value})
