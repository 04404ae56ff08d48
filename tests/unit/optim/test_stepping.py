import pytest
import torch
from torch import nn

from hpsearch.optim.sgd import SGD
from hpsearch.optim.stepping import quick_step

OPTIMIZERS = {
    "our sgd": lambda p: SGD(p, lr=0.1, momentum=0.9),
    "our sgd, inside": lambda p: SGD(p, lr=0.1, momentum=0.9, form="inside"),
    "plain sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "sgd, dampened": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "sgd, upwards": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, maximize=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
}


def trained(make, step_of):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    optimizer = make(model.parameters())
    step = step_of(optimizer)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(7, 5)).square().sum().backward()
        step()
    return [parameter.detach() for parameter in model.parameters()]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_are_those_of_torch_bit_for_bit(name):
    quick = trained(OPTIMIZERS[name], quick_step)
    plain = trained(OPTIMIZERS[name], lambda optimizer: optimizer.step)
    assert all(torch.equal(*pair) for pair in zip(quick, plain, strict=True))


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_weight_whose_gradient_comes_late_begins_its_velocity_then(nesterov):
    found = []
    for step_of in (quick_step, lambda optimizer: optimizer.step):
        weights = [torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)]
        optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=nesterov)
        weights[0].grad, second = torch.tensor([0.3, 0.7]), torch.tensor([0.1, 0.2, 0.9])
        for gradient in (None, None, second, second):  # which no step may change
            weights[1].grad = gradient
            step_of(optimizer)()
        found.append((weights, optimizer.state_dict()["state"]))
    (quick, held), (plain, kept) = found
    assert all(torch.equal(*pair) for pair in zip(quick, plain, strict=True))
    assert all(torch.equal(held[i]["momentum_buffer"], kept[i]["momentum_buffer"]) for i in (0, 1))


def test_torch_still_wraps_the_step_that_is_unwrapped():
    optimizer = torch.optim.RMSprop([torch.zeros(1, requires_grad=True)], lr=0.1)
    assert quick_step(optimizer).func is torch.optim.RMSprop.step.__wrapped__
    with torch.profiler.profile() as seen:
        quick_step(optimizer)()
        optimizer.step()
    assert [event.count for event in seen.key_averages() if "Optimizer.step" in event.key] == [1]


@pytest.mark.parametrize("kind", [torch.optim.SGD, SGD])
def test_hooks_are_called_once(kind):
    optimizer, called = kind([torch.zeros(1, requires_grad=True)], lr=0.1), []
    optimizer.register_step_post_hook(lambda *_: called.append("post"))
    quick_step(optimizer)()
    assert called == ["post"]


def test_a_step_of_its_own_is_called():
    optimizer, called = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), []
    optimizer.step = lambda: called.append("own")
    quick_step(optimizer)()
    assert called == ["own"]
