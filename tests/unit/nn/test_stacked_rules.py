"""Layers of all members at once against each member's own layer."""

import copy

import pytest
import torch
from torch import nn

from hpsearch.nn import activations
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.layers import Chain
from hpsearch.nn.normalization import weighted
from hpsearch.nn.pooling import L2Pool
from hpsearch.nn.stacked import Stacked
from hpsearch.nn.stacked_layers import parts_of
from hpsearch.nn.stacked_rules import CONVOLUTIONS

MAPS, ROWS = (4, 7, 6), (6,)
LAYERS = {
    "linear": (lambda: nn.Linear(6, 5), ROWS),
    "linear without bias": (lambda: nn.Linear(6, 5, bias=False), ROWS),
    "linear on rows": (lambda: nn.Linear(6, 5), MAPS),
    "weight norm": (lambda: weighted(nn.Linear(6, 5), "weight"), ROWS),
    "convolution": (lambda: nn.Conv2d(4, 6, 3, padding=1), MAPS),
    "strides and dilation": (lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), (2, 0), dilation=(2, 1), bias=False), MAPS),
    "same size": (lambda: nn.Conv2d(4, 6, 3, padding="same"), MAPS),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=2), MAPS),
    "around the edge": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), MAPS),
    "of sequences": (lambda: nn.Conv1d(4, 6, 3, 2, 1), (4, 9)),
    "batch norm": (lambda: nn.BatchNorm1d(6), ROWS),
    "batch norm of maps": (lambda: nn.BatchNorm2d(4, momentum=0.3, eps=0.1), MAPS),
    "of large maps": (lambda: nn.BatchNorm2d(4), (4, 64, 65)),
    "batch norm without averages": (lambda: nn.BatchNorm2d(4, track_running_stats=False), MAPS),
    "batch norm without scale": (lambda: nn.BatchNorm2d(4, affine=False), MAPS),
    "layer norm": (lambda: nn.LayerNorm(6), ROWS),
    "layer norm of two axes": (lambda: nn.LayerNorm((7, 6), bias=False), MAPS),
    "group norm": (lambda: nn.GroupNorm(2, 4), MAPS),
    "group norm of rows": (lambda: nn.GroupNorm(2, 6), ROWS),
    "instance norm": (lambda: nn.InstanceNorm2d(4, affine=True), MAPS),
    "instance norm with averages": (lambda: nn.InstanceNorm2d(4, track_running_stats=True), MAPS),
    "local response": (lambda: nn.LocalResponseNorm(3), MAPS),
    "max pooling": (lambda: nn.MaxPool2d(3, 2, 1), MAPS),
    "average pooling": (lambda: nn.AdaptiveAvgPool2d(1), MAPS),
    "l2 pooling": (lambda: L2Pool(2, 2), MAPS),
    "prelu": (lambda: nn.PReLU(), MAPS),
    "prelu of rows": (lambda: nn.PReLU(6), ROWS),
    "crelu": (lambda: activations.CReLU(), MAPS),
    "crelu of the last axis": (lambda: activations.CReLU(-1), MAPS),
    "maxout": (lambda: activations.Maxout(2), MAPS),
    "maxout of the last axis": (lambda: activations.Maxout(3, -1), MAPS),
    "gelu": (lambda: nn.GELU(), ROWS),
    "flatten": (lambda: nn.Flatten(), MAPS),
    "flatten the last axes": (lambda: nn.Flatten(-2), MAPS),
    "dropout": (lambda: Dropout(0.4), MAPS),
    "no rule": (lambda: nn.Softmax(1), MAPS),
}


def members_of(make, count=3):
    torch.manual_seed(0)
    models = [make().double() for _ in range(count)]
    with torch.no_grad():
        for model in models:
            for name, tensor in (*model.named_parameters(), *model.named_buffers()):
                tensor.copy_(torch.rand_like(tensor, dtype=torch.float64) * (9 if name in ("seed", "step") else 0.9))
    return models


def swapped(x):
    """Lay out the members of [K, B, ...] behind the samples."""
    return x.transpose(0, 1).contiguous().transpose(0, 1)


@pytest.mark.parametrize("layout", [torch.Tensor.contiguous, swapped], ids=["members first", "samples first"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", LAYERS)
def test_outputs_gradients_and_buffers_are_those_of_each_member(layer, training, layout):
    make, shape = LAYERS[layer]
    assert_same(members_of(make), shape, training, layout)


def assert_same(models, shape, training=True, layout=torch.Tensor.contiguous, convolution="auto"):
    twins = [copy.deepcopy(model).train(training) for model in models]
    inputs = layout(torch.randn(len(models), 5, *shape, dtype=torch.float64)).requires_grad_()
    stacked = Stacked(models, convolution)
    stacked.train(training)
    outputs = stacked(inputs)
    weights = torch.randn(outputs.shape, dtype=torch.float64)
    (outputs * weights).sum().backward()
    for place, twin in enumerate(twins):
        x = inputs[place].detach().clone().requires_grad_()
        expected = twin(x)
        (expected * weights[place]).sum().backward()
        pairs = [(outputs[place], expected), (inputs.grad[place], x.grad)]
        pairs += [(stacked.parameters[name].grad[place], each.grad) for name, each in twin.named_parameters()]
        pairs += [(stacked.buffers[name][place], each) for name, each in twin.named_buffers()]
        for found, value in pairs:
            torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("convolution", sorted(CONVOLUTIONS.keys() - {"auto"}))
@pytest.mark.parametrize("layer", ["convolution", "strides and dilation", "same size", "groups", "of sequences"])
def test_every_way_to_convolve_gives_the_same(layer, convolution):
    make, shape = LAYERS[layer]
    models = members_of(make)
    assert_same(copy.deepcopy(models), shape, convolution=convolution)
    x = torch.randn(5, *shape, dtype=torch.float64)
    outputs = Stacked(models, convolution)(x, shared=True)
    for found, model in zip(outputs, models, strict=True):
        torch.testing.assert_close(found, model(x), rtol=1e-10, atol=1e-10)


def test_a_dropped_entry_is_the_one_that_a_member_drops_alone():
    models = members_of(lambda: Dropout(0.5))
    x = torch.ones(3, 5, 4, 6)
    alone = torch.stack([model(each) for model, each in zip(models, x, strict=True)])
    assert torch.equal(Stacked(models)(x), alone)
    assert not torch.equal(alone[0] > 0, alone[1] > 0)


class Twice(Chain):
    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def chain(self):
        return self.layer, self.norm, nn.Tanh(), self.layer


class Halved(Twice):
    def forward(self, x):
        return super().forward(x) / 2


@pytest.mark.parametrize(("make", "parts"), [(Twice, 4), (Halved, 1)])
def test_a_chain_is_one_unless_it_computes_something_else(make, parts):
    assert len(parts_of(make())) == parts
    assert_same(members_of(make), (4,))


class Branches(nn.Module):
    """Says that it is the same for any number of axes in front."""

    leading_axes = True

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))])
        self.shift, self.absent = nn.Parameter(torch.zeros(6)), None
        self.register_buffer("scale", torch.zeros(6))

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], -1) * self.scale + self.shift


class CountedAxes(Branches):
    """Inherits what it no longer keeps."""

    def forward(self, x):
        return super().forward(x) + x.mean((0, 1))


@pytest.mark.parametrize("kind", [Branches, CountedAxes])
def test_what_combines_layers_is_given_those_of_all_members(kind):
    assert_same(members_of(kind), (4,))
    assert_same(members_of(lambda: nn.Sequential(nn.Linear(4, 4), kind(), nn.Linear(6, 4), kind())), (4,))


@pytest.mark.parametrize("kind", [lambda: nn.Linear(4, 4), Branches])
def test_what_hooks_change_is_kept(kind):
    def make():
        layer = kind()
        layer.register_forward_hook(lambda module, x, outputs: outputs * len(outputs))
        return nn.Sequential(layer, nn.Tanh())

    assert_same(members_of(make), (4,))
