"""The losses of members at once are those of each alone."""

import pytest
import torch
from torch import nn

from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.losses.class_weights import ClassWeighted
from hpsearch.losses.focal import Focal
from hpsearch.losses.hinge import Hinge
from hpsearch.losses.members import member_losses
from hpsearch.losses.perceptron import Perceptron
from hpsearch.losses.squared_error import SquaredError

CLASSES = 4
SHARES = torch.full((CLASSES,), 1 / CLASSES)


class Own(nn.Module):
    """A user's loss: it looks at its values, and has an option that is no number."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, outputs, y):
        return outputs[y.argmax(1) if y.ndim > 1 else y].sum() if outputs.sum() > 0 else outputs[:, self.classes].mean()

    def class_losses(self, outputs):
        return outputs[:, self.classes].sum(1, keepdim=True) * outputs


def weighted(loss, weights=(1.0, 2.0, 3.0, 4.0)):
    return ClassWeighted(loss, weights, SHARES)


CASES = {
    "cross-entropy": [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(), nn.CrossEntropyLoss()],
    "one smoothing": [nn.CrossEntropyLoss(label_smoothing=0.1) for _ in range(3)],
    "smoothings": [nn.CrossEntropyLoss(label_smoothing=each) for each in (0.0, 0.1, 0.3)],
    "weights": [nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0, each])) for each in (1.0, 1.0, 5.0)],
    "sums": [nn.CrossEntropyLoss(reduction="sum") for _ in range(3)],
    "focus": [Focal(gamma=each) for each in (1.0, 2.0, 2.0)],
    "one focus": [Focal(gamma=2.0, weight=[1.0, 2.0, 3.0, 4.0]) for _ in range(3)],
    "focus with and without factors": [Focal(), Focal(weight=[1.0, 2.0, 3.0, 4.0]), Focal()],
    "weighted": [weighted(nn.CrossEntropyLoss()) for _ in range(3)],
    "weighted in several ways": [weighted(Focal(), [1.0, 2.0, 3.0, each]) for each in (1.0, 4.0, 4.0)],
    "weighted and focused": [weighted(Focal(gamma=each)) for each in (1.0, 2.0, 3.0)],
    "weighted and smoothed": [weighted(nn.CrossEntropyLoss(label_smoothing=each)) for each in (0.0, 0.2, 0.2)],
    "hinge": [Hinge(power=2) for _ in range(3)],
    "hinges": [Hinge(), Hinge(margin=2.0), Hinge(multiclass="weston_watkins")],
    "perceptron": [Perceptron() for _ in range(3)],
    "squared error": [SquaredError() for _ in range(3)],
    "own": [Own([0, 1]) for _ in range(3)],
    "own, weighted": [weighted(Own(each)) for each in ([0, 1], [2], [2])],
}


def outputs_of(columns=CLASSES):
    return torch.randn(3, 5, columns, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def assert_alike(losses, outputs, y):
    """Compare losses and gradients, those of a member whose outputs are nan apart."""
    outputs = outputs.clone().requires_grad_()
    found = member_losses([loss.double() for loss in losses])(outputs, y)
    found.sum().backward()
    for k, loss in enumerate(losses):
        alone = outputs.detach()[k].requires_grad_()
        expected = loss(alone, y[k])
        expected.backward()
        torch.testing.assert_close(found[k], expected, rtol=1e-12, atol=0, equal_nan=True)
        torch.testing.assert_close(outputs.grad[k], alone.grad, rtol=1e-12, atol=1e-15, equal_nan=True)


@pytest.mark.parametrize("case", CASES)
def test_each_member_has_the_loss_that_it_has_alone(case):
    y = torch.randint(CLASSES, (3, 5), generator=torch.Generator().manual_seed(2))
    assert_alike(CASES[case], outputs_of(), y)
    broken = outputs_of()
    broken[1] = torch.nan
    assert_alike(CASES[case], broken, y)


@pytest.mark.parametrize("case", [case for case in CASES if "own" not in case])
def test_shares_of_classes(case):
    y = torch.rand(3, 5, CLASSES, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert_alike(CASES[case], outputs_of(), y / y.sum(2, keepdim=True))


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.L1Loss, nn.HuberLoss])
def test_targets_of_a_regression(loss):
    y = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert_alike([loss() for _ in range(3)], outputs_of(2), y)
    if loss is nn.HuberLoss:
        assert_alike([loss(delta=each) for each in (0.1, 1.0, 0.1)], outputs_of(2), y)


def test_two_classes_by_one_output():
    y = torch.randint(2, (3, 5), generator=torch.Generator().manual_seed(2))
    for losses in ([BinaryCrossEntropy() for _ in range(3)], [Hinge(), Focal(), Hinge()]):
        assert_alike(losses, outputs_of(1), y)
