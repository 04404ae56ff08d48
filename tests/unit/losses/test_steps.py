"""Losses of labels per step: padding has no part in value or gradient."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from hpsearch.base.errors import ConfigError
from hpsearch.losses.class_weights import ClassWeighted, plain_loss, reported_losses, summed
from hpsearch.losses.fit import check_fit
from hpsearch.losses.focal import Focal
from hpsearch.losses.steps import StepLoss

Y = torch.tensor([[0, 2, 1, 1], [2, -100, -100, -100], [1, 0, -100, -100]])
LOSSES = {
    "cross-entropy": nn.CrossEntropyLoss(),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.2),
    "focal": Focal(2.0),
    "weighted": ClassWeighted(nn.CrossEntropyLoss(), [1.0, 3.0, 0.5], torch.tensor([2, 3, 2]) / 7),
}


def outputs(fill=0.0):
    torch.manual_seed(0)
    made = torch.randn(3, 4, 3, dtype=torch.float64)
    made[Y < 0] = fill
    return made.requires_grad_()


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_a_batch_is_that_of_its_sentences_one_by_one(name):
    loss, found = StepLoss(LOSSES[name].double()), outputs(fill=1e30)
    value = loss(found, Y)
    value.backward()
    alone = outputs()
    parts = [(loss(alone[row : row + 1, : len(y)], y[None]), len(y)) for row, y in enumerate(y[y >= 0] for y in Y)]
    expected = sum(each * n for each, n in parts) / 7
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), abs=1e-10)
    torch.testing.assert_close(found.grad, alone.grad, rtol=0, atol=1e-10)
    assert not found.grad[Y < 0].any()


def test_it_is_torch_s_own_with_padding_left_out():
    expected = functional.cross_entropy(outputs().flatten(0, 1), Y.flatten(), ignore_index=-100)
    assert StepLoss(nn.CrossEntropyLoss())(outputs(), Y).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_sums_over_batches_make_the_loss_of_the_part(name):
    loss = StepLoss(LOSSES[name].double())
    for each in reported_losses(loss).values():
        given = outputs().detach()
        totals = [summed(each, given[rows], Y[rows]) for rows in (slice(0, 1), slice(1, 3))]
        whole = summed(each, given, Y)
        assert sum(float(t) for t, _ in totals) == pytest.approx(float(whole[0]), rel=1e-6)
        assert sum(float(w) for _, w in totals) == pytest.approx(float(whole[1]), rel=1e-6)
    assert reported_losses(loss).keys() == ({"loss"} if name == "cross-entropy" else {"loss", "weighted_loss"})
    plain = StepLoss(LOSSES["cross-entropy"])(outputs(), Y)
    assert plain_loss(loss)(outputs(), Y).item() == pytest.approx(plain.item())


def test_outputs_that_fit_no_word_are_refused():
    loss = StepLoss(nn.CrossEntropyLoss())
    check_fit(loss, outputs(), Y, "classification", 3)
    with pytest.raises(ConfigError, match=r"of shape \(3, 3\) for labels of shape \(3, 4\), one for each word"):
        check_fit(loss, outputs()[:, 0], Y, "classification", 3)
    with pytest.raises(ConfigError, match=r"gives 3 outputs, the labels have 5 classes"):
        check_fit(loss, outputs(), Y, "classification", 5)
    with pytest.raises(ConfigError, match=r"MSELoss is for numbers"):
        check_fit(StepLoss(nn.MSELoss()), outputs(), Y, "classification", 3)
