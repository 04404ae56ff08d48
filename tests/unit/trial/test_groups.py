"""Batches that go through the model in groups, and memory that runs out."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.outcome import failure
from hpsearch.base.types import Decision, TrialState
from hpsearch.losses.class_weights import ClassWeighted
from hpsearch.losses.focal import Focal
from hpsearch.models.mlp import MLP
from hpsearch.regularizers import EMA, L2, Mixup
from hpsearch.trial.batching import Batching, check_single
from hpsearch.trial.loop import train
from tests.support.jobs import CLASSES, FEATURES, TRAIN, at, curve, drive, make_job, weights


class Limited(nn.Module):
    """A model that runs out of memory on more samples than it is said to take."""

    def __init__(self, training=TRAIN, evaluation=TRAIN, dropout=0.3, norm="none"):
        super().__init__()
        self.inner = MLP((FEATURES,), CLASSES, hidden=(8,), dropout=dropout, norm=norm)
        self.most = {True: training, False: evaluation}

    def forward(self, x):
        if len(x) > self.most[self.training]:
            raise torch.OutOfMemoryError(f"no room for {len(x)}")
        return self.inner(x)


def limited(folder, *, micro=None, auto=False, batch_size=32, model=None, double=True, **more):
    job = make_job(folder, epochs=2, batch_size=batch_size, make_model=partial(Limited, **(model or {})), **more)
    if double:  # so that rounding, which grows from step to step, hides nothing
        job.model.double()
        for part in (job.splits.train, job.splits.valid):
            object.__setattr__(part, "x", part.x.double())
    return replace(job, batching=Batching(TRAIN, batch_size, micro=micro, auto=auto))


WEIGHTS = (0.2, 3.0, 40.0)
SHARES = torch.tensor([0.7, 0.2, 0.1])


def weighted(loss):
    return ClassWeighted(loss, WEIGHTS, SHARES).double()


def same_curves(first, second, tolerance=1e-9):
    for one, other in zip(curve(first), curve(second), strict=True):
        assert one[2] == pytest.approx(other[2], rel=tolerance, abs=tolerance)
        assert one[3] == [[step, pytest.approx(loss, rel=tolerance)] for step, loss in other[3]]


MORE = {
    "plain": {},
    "mixup, penalty, clipping": {
        "more": {"mixing": Mixup(alpha=1.0)},
        "regularizers": {"l2": L2(strength=0.01)},
        "clip_norm": 0.5,
    },
    "balanced sampling": {"more": {"sampling": "balanced"}},
    "average": {"more": {"averaging": EMA(epochs=0.5)}},
    "class weights": {"loss": weighted(nn.CrossEntropyLoss())},
    "class weights, smoothing, mixup": {
        "loss": weighted(nn.CrossEntropyLoss(label_smoothing=0.1)),
        "more": {"mixing": Mixup(alpha=1.0)},
    },
    "class weights, focus": {"loss": weighted(Focal(2.0))},
}


@pytest.mark.parametrize("micro", [5, 31, 40])
@pytest.mark.parametrize("more", MORE)
def test_groups_are_the_whole_batch(tmp_path, more, micro):
    """The last batch has 26 samples: a mean of the means of its groups, 5 of 5 and 1 of 1, would be another loss.

    All of them with dropout.
    """
    whole, grouped = limited(tmp_path / "a", **MORE[more]), limited(tmp_path / "b", micro=micro, **MORE[more])
    same_curves(drive(train(whole))[0], drive(train(grouped))[0])
    for name, value in weights(whole).items():
        torch.testing.assert_close(value, weights(grouped)[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("more", ["plain", "class weights, smoothing, mixup"])
def test_what_the_memory_does_not_hold_is_halved_until_it_fits(tmp_path, more):
    whole, result = drive(train(limited(tmp_path / "a", auto=True, **MORE[more])))
    assert result.facts["data.micro_batch"] == 32
    less = {"training": 9, "evaluation": 5}
    halved, result = drive(train(limited(tmp_path / "b", auto=True, model=less, **MORE[more])))
    assert (result.state, result.facts["data.micro_batch"]) == (TrialState.COMPLETE, 8)
    same_curves(whole, halved, 1e-6)  # sums of evaluations are of float32


def test_a_resumed_trial_goes_on_with_what_fitted(tmp_path):
    model = {"training": 9}
    whole, _ = drive(train(limited(tmp_path / "a", auto=True, model=model, double=False)))
    drive(train(limited(tmp_path / "b", auto=True, model=model, double=False)), at(1, Decision.PAUSE))
    resumed = limited(tmp_path / "b", auto=True, double=False)  # more memory than before
    again, result = drive(train(resumed))
    assert curve(again) == curve(whole)
    assert result.facts["data.micro_batch"] == 8


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"auto": True, "model": {"training": 0}}, "no room for 1"),
        ({"auto": True, "model": {"evaluation": 0}}, "no room for 1"),
        ({"model": {"training": 9}}, "no room for 32"),
        ({"micro": 10, "model": {"training": 9}}, "no room for 10"),
        (
            {"auto": True, "model": {"training": 9, "norm": "batch"}},
            "no room for 32 (data.micro_batch=auto: inner.hidden.0.1 normalizes over the whole batch)",
        ),
    ],
)
def test_what_never_fits_is_infeasible(tmp_path, settings, words):
    with pytest.raises((MemoryError, torch.OutOfMemoryError)) as raised:
        drive(train(limited(tmp_path, **settings)))
    result = failure(raised.value, 0.0)
    assert (result.state, result.reason) == (TrialState.INFEASIBLE, f"out of memory: {words}")


def test_a_batch_in_groups_leaves_the_masks_of_the_next_whole_one_alone(tmp_path):
    """The last batch of 26 goes through whole, after two groups of 32."""
    whole, grouped = limited(tmp_path / "a", batch_size=64), limited(tmp_path / "b", batch_size=64, micro=32)
    same_curves(drive(train(whole))[0], drive(train(grouped))[0])


@pytest.mark.parametrize(
    ("rows", "size", "micro", "sizes"),
    [(97, 32, None, {32, 1}), (90, 32, 10, {10, 2, 6}), (64, 32, 31, {31, 1}), (64, 32, 64, {32})],
)
def test_the_sizes_of_groups(rows, size, micro, sizes):
    batching = Batching(rows, size, micro=micro)
    assert batching.sizes == sizes
    if 1 in sizes and micro:
        with pytest.raises(ConfigError, match=r"data\.micro_batch = 31: of batches of 32 of 64 samples a group has 1"):
            check_single(batching, lambda: False)
