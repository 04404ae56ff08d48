"""Mean squared error of classes and of numbers against torch's."""

import pytest
import torch
from torch.nn.functional import mse_loss, one_hot

from hpsearch.base.errors import ConfigError
from hpsearch.losses.class_weights import class_losses, each_loss
from hpsearch.losses.fit import loss_of
from hpsearch.losses.squared_error import SquaredError

MAKE = {None: lambda o: o.softmax(1), "softmax": lambda o: o.softmax(1), "sigmoid": torch.sigmoid}


@pytest.mark.parametrize("outputs", MAKE)
def test_of_classes_it_is_that_of_their_probabilities(outputs):
    logits, y = torch.randn(7, 4, requires_grad=True), torch.arange(7) % 4
    loss, p, targets = SquaredError(outputs), MAKE[outputs](logits), one_hot(y, 4).float()
    torch.testing.assert_close(loss(logits, y), mse_loss(p, targets))
    torch.testing.assert_close(each_loss(loss, logits, y), (p - targets).square().mean(1))
    rows = torch.stack([(p - one_hot(torch.full((7,), c), 4)).square().mean(1) for c in range(4)], 1)
    torch.testing.assert_close(class_losses(loss, logits), rows)
    ours, theirs = (
        torch.autograd.grad(f, logits, retain_graph=True)[0] for f in (loss(logits, y), mse_loss(p, targets))
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("outputs", MAKE)
def test_one_output_is_the_logit_of_class_1(outputs):
    z, y = torch.randn(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    loss = SquaredError(outputs)
    torch.testing.assert_close(loss(z, y), mse_loss(torch.sigmoid(z[:, 0]), y.float()))
    p = torch.sigmoid(z)
    torch.testing.assert_close(class_losses(loss, z), torch.cat([p.square(), (1 - p).square()], 1))


@pytest.mark.parametrize("outputs", MAKE)
def test_a_blend_is_compared_with_the_blend(outputs):
    logits, shares = torch.randn(5, 3), torch.rand(5, 3).softmax(1)
    torch.testing.assert_close(SquaredError(outputs)(logits, shares), mse_loss(MAKE[outputs](logits), shares))


def test_of_numbers_it_is_torchs():
    loss = loss_of(SquaredError(), torch.nn.Linear(1, 1), "regression")
    assert type(loss) is torch.nn.MSELoss and loss.reduction == "mean"
    assert type(loss_of(SquaredError(), torch.nn.Linear(1, 1), "classification")) is SquaredError
    with pytest.raises(ConfigError, match=r"^loss.outputs = 'sigmoid': is for classes, the data has numbers"):
        loss_of(SquaredError("sigmoid"), torch.nn.Linear(1, 1), "regression")


def test_a_bad_value_is_named():
    with pytest.raises(ConfigError, match=r"^loss.outputs = 'tanh'"):
        SquaredError("tanh")
