"""Shares and rates of averages, against closed forms and torch's own."""

import math

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import SWALR

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import EMA, SWA, Extent, TorchEMA

LONG = Extent(23, 345)
"""Fifteen epochs of digits at a batch of 50."""


def shares_left(averaging, extent):
    """Return [T] how much of the average is the weights of each update."""
    left, averaged = np.zeros(extent.steps), 0
    for update in range(1, extent.steps + 1):
        share = averaging.share(update, averaged, extent)
        if share:
            share = share if averaged else 1.0
            left *= 1 - share
            left[update - 1] += share
            averaged += 1
    return left


def test_with_warmup_weights_count_by_their_age_alone():
    age = np.arange(345)[::-1]
    expected = np.exp(-age / (2.5 * 23))
    np.testing.assert_allclose(shares_left(EMA(epochs=2.5), LONG), expected / expected.sum(), rtol=1e-9)


def test_torchs_form_leaves_most_of_the_first_weights_in_a_short_training():
    left = shares_left(TorchEMA(decay=0.999), Extent(18, 270))
    assert round(left[0], 2) == 0.76
    left = shares_left(TorchEMA(decay=0.999), LONG)
    assert left[0] == pytest.approx(0.999**344) and round(left[0], 2) == 0.71
    assert shares_left(EMA(epochs=1.0), LONG)[0] < 1e-6
    plain = shares_left(EMA(epochs=1.0, warmup=False), LONG)
    assert plain[0] == pytest.approx(math.exp(-344 / 23)) and plain.sum() == pytest.approx(1)


@pytest.mark.parametrize("warmup", [True, False])
def test_an_epoch_weighs_the_same_at_every_batch_size(warmup):
    averaging = EMA(epochs=0.7, warmup=warmup)
    by_epoch = [shares_left(averaging, Extent(n, 4 * n)).reshape(4, n).sum(1) for n in (200, 1000)]
    np.testing.assert_allclose(*by_epoch, atol=1e-3 if warmup else 0.02)


@pytest.mark.parametrize(
    ("averaging", "extent", "epochs"),
    [
        (SWA(), Extent(3, 60), range(16, 21)),
        (SWA(start=0), Extent(3, 12), range(1, 5)),
        (SWA(start=0.75), Extent(3, 3), [1]),
        (SWA(start=2, every=2), Extent(3, 18), [2, 4, 6]),
        (SWA(start=1), Extent(1, 3), [1, 2, 3]),
        (SWA(start=0.5), Extent(4, 14), [3, 4]),  # the last pass is cut short
    ],
)
def test_swa_is_the_mean_after_its_epochs(averaging, extent, epochs):
    ends = [min(epoch * extent.steps_per_epoch, extent.steps) - 1 for epoch in epochs]
    expected = np.zeros(extent.steps)
    expected[ends] = 1 / len(ends)
    np.testing.assert_allclose(shares_left(averaging, extent), expected, atol=1e-12)


@pytest.mark.parametrize("anneal_epochs", [0, 1, 3])
def test_the_rate_goes_where_torchs_swalr_brings_it(anneal_epochs):
    extent = Extent(4, 40)
    schedule = torch.linspace(0.1, 0.01, 40, dtype=torch.float64)
    found = SWA(start=5, lr=0.05, anneal_epochs=anneal_epochs).rates(schedule, extent)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=float(schedule[16]))
    scheduler = SWALR(optimizer, swa_lr=0.05, anneal_epochs=4 * anneal_epochs)
    expected = schedule[:16].tolist()
    for _ in range(16, 40):
        optimizer.step()
        if not anneal_epochs:
            scheduler.step()
        expected.append(optimizer.param_groups[0]["lr"])
        if anneal_epochs:
            scheduler.step()
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    assert SWA().rates(schedule, extent) is schedule


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EMA(epochs=0.0), r"regularizer\.ema\.epochs = 0\.0: must be"),
        (lambda: TorchEMA(decay=1.0), r"regularizer\.ema_torch\.decay = 1\.0: must be"),
        (lambda: SWA(start=1.5), r"regularizer\.swa\.start = 1\.5: must be a share of the epochs below 1, or an epoch"),
        (lambda: SWA(start=-1), r"regularizer\.swa\.start = -1: must be"),
        (lambda: SWA(every=0), r"regularizer\.swa\.every = 0: must be"),
        (lambda: SWA(anneal_epochs=2), r"regularizer\.swa\.anneal_epochs = 2: regularizer\.swa\.lr is null"),
        (lambda: SWA(start=4).rule(Extent(5, 15)), r"regularizer\.swa\.start = 4: the trial has 3 epochs"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_rules_say_how():
    extent = Extent(10, 200)
    assert EMA().rule(extent) == "EMA of 1 epoch"
    assert EMA(epochs=0.5, warmup=False).rule(extent) == "EMA of 0.5 epochs without warm-up"
    assert TorchEMA().rule(extent) == "EMA, decay 0.999 per update"
    assert SWA().rule(extent) == "SWA, the mean after every epoch from 16 on"
    assert SWA(start=3, every=2).rule(extent) == "SWA, the mean after every 2 epochs from 3 on"
