"""What weighted losses are, against the formula in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hpsearch.base.errors import ConfigError
from hpsearch.data.part import Split
from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.losses.class_weights import ClassWeighted, class_losses, plain_loss, reported_losses, with_class_weights
from hpsearch.losses.focal import Focal
from hpsearch.regularizers import CutMix, Mixup
from hpsearch.trial.evaluate import evaluate

WEIGHTS = (0.5, 2.0, 40.0)
GENERATOR = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(1000, 3, generator=GENERATOR)
Y = torch.multinomial(torch.tensor([0.9, 0.09, 0.01]), 1000, True, generator=GENERATOR)
SHARES = Y.bincount() / 1000


def by_hand(outputs, shares, smoothing=0.0, gamma=0.0):
    """Return the weighted loss and the weight of each sample in float64."""
    logits, shares, weights = outputs.double().numpy(), np.asarray(shares, np.float64), np.array(WEIGHTS)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    terms = -((1 - p) ** gamma) * np.log(p)
    each = (1 - smoothing) * terms + smoothing * terms.mean(1, keepdims=True)
    return (shares * weights * each).sum(1), (shares * weights).sum(1)


LOSSES = {
    "plain": (nn.CrossEntropyLoss, {}),
    "smoothed": (nn.CrossEntropyLoss, {"label_smoothing": 0.1}),
    "focal": (Focal, {"gamma": 2.0}),
}
HAND = {"plain": {}, "smoothed": {"smoothing": 0.1}, "focal": {"gamma": 2.0}}


def weighted(name="plain"):
    make, options = LOSSES[name]
    return ClassWeighted(make(**options), WEIGHTS, SHARES)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("name", LOSSES)
def test_a_part_is_the_sum_of_weighted_losses_over_that_of_the_weights(name, batch_size):
    found = evaluate(nn.Identity(), nn.Identity(), weighted(name), Split(OUTPUTS, Y), batch_size, {})
    losses, weights = by_hand(OUTPUTS, functional.one_hot(Y, 3), **HAND[name])
    assert found["weighted_loss"] == pytest.approx(losses.sum() / weights.sum(), rel=1e-6)
    plain = functional.cross_entropy(OUTPUTS.double(), Y).item()
    assert found["loss"] == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
@pytest.mark.parametrize("mixing", [None, Mixup(alpha=1.0), CutMix(alpha=1.0)], ids=["hard", "mixup", "cutmix"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_training_batch_is_divided_by_its_size_and_the_mean_weight(name, mixing, batch_size):
    rows = torch.arange(batch_size)
    targets, shares = Y[rows], functional.one_hot(Y[rows], 3)
    if mixing is not None:
        _, targets = mixing.mix(torch.zeros(batch_size, 1, 8, 8), targets, 3, seed=3, step=0)
        shares = targets
    losses, _ = by_hand(OUTPUTS[rows], shares, **HAND[name])
    mean = (SHARES.double() * torch.tensor(WEIGHTS)).sum().item()
    assert weighted(name)(OUTPUTS[rows], targets).item() == pytest.approx(losses.sum() / (batch_size * mean), rel=1e-6)


@pytest.mark.parametrize("mixed", [False, True], ids=["hard", "mixed"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_expected_gradient_is_the_same_at_every_batch_size(name, mixed):
    """Of 64 rows cut into batches of 1, 7 (the last has one) and 64, each batch weighing as much as it has rows."""
    gradients, targets = [], Y[:64]
    if mixed:
        _, targets = Mixup(alpha=1.0).mix(torch.zeros(64, 1, 8, 8), targets, 3, seed=3, step=0)
    for size in (1, 7, 64):
        outputs = OUTPUTS[:64].double().requires_grad_()
        for rows in torch.arange(64).split(size):
            (weighted(name)(outputs[rows], targets[rows]) * len(rows) / 64).backward()
        gradients.append(outputs.grad)
    for one, other in itertools.pairwise(gradients):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-12)
    size = gradients[0].abs().sum(1)
    assert mixed or size[Y[:64] == 1].mean() > 2 * size[Y[:64] == 0].mean(), "at one sample per batch weights count"


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_losses_of_each_class_are_those_of_the_loss(columns, smoothing):
    outputs = OUTPUTS[:5, :columns]
    losses = [BinaryCrossEntropy(smoothing, 3.0), Focal(1.5)]
    losses += [] if columns == 1 else [nn.CrossEntropyLoss(label_smoothing=smoothing), nn.NLLLoss()]
    for loss in losses:
        of_classes = class_losses(loss, outputs)
        for c in range(max(columns, 2)):
            expected = [loss(row[None], torch.tensor([c])).item() for row in outputs]
            assert of_classes[:, c].tolist() == pytest.approx(expected, rel=1e-5)


def test_weights_of_the_loss_of_torch_are_no_quotient_of_a_batch_either():
    loss = with_class_weights(nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS)), None, SHARES)
    assert isinstance(loss, ClassWeighted)
    assert loss(OUTPUTS[:1], Y[:1]) == weighted()(OUTPUTS[:1], Y[:1])
    for same in (nn.CrossEntropyLoss(), Focal(weight=[1, 2, 3]), nn.MSELoss()):
        assert with_class_weights(same, None, SHARES) is same


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (nn.MSELoss(), "the loss MSELoss takes no weights"),
        (nn.CrossEntropyLoss(weight=torch.ones(3)), "the loss CrossEntropyLoss has weights already"),
        (BinaryCrossEntropy(pos_weight=2.0), "the loss BinaryCrossEntropy has weights already"),
    ],
    ids=["mse", "cross_entropy", "pos_weight"],
)
def test_what_cannot_be_weighted_is_refused(loss, told):
    with pytest.raises(ConfigError, match=rf"^data\.class_weights: {told}"):
        with_class_weights(loss, WEIGHTS, SHARES)


class Own(nn.Module):
    gamma = 3.0

    def plain(self):
        return nn.CrossEntropyLoss()


def test_the_plain_loss_is_without_what_only_training_is_told():
    outputs, plain = OUTPUTS[:9], functional.cross_entropy(OUTPUTS[:9], Y[:9])
    told = [
        nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS)),
        nn.CrossEntropyLoss(label_smoothing=0.3),
        Focal(gamma=2.0, weight=WEIGHTS),
        weighted("focal"),
        Own(),
    ]
    for loss in told:
        assert list(reported_losses(loss)) == ["loss", "weighted_loss"]
        assert plain_loss(loss)(outputs, Y[:9]).item() == pytest.approx(plain.item(), rel=1e-6)
        assert reported_losses(loss)["weighted_loss"] is loss
    for loss in (nn.CrossEntropyLoss(), nn.MSELoss(), Focal(gamma=0.0), BinaryCrossEntropy(), nn.HuberLoss(delta=2.0)):
        assert reported_losses(loss) == {"loss": loss}
    logit = OUTPUTS[:9, :1]
    smooth = BinaryCrossEntropy(label_smoothing=0.2, pos_weight=3.0)
    assert plain_loss(smooth)(logit, Y[:9] % 2) == BinaryCrossEntropy()(logit, Y[:9] % 2)
    assert math.isfinite(plain_loss(Focal(2.0))(logit, Y[:9] % 2))
