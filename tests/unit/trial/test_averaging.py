"""Averaged weights in training, against `torch.optim.swa_utils`."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from hpsearch.base import rng
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Objective
from hpsearch.models.mlp import MLP
from hpsearch.regularizers import EMA, SWA, EarlyStopping, Mixup, TorchEMA
from hpsearch.schedules.plateau import Plateau
from hpsearch.trial import checkpoint
from hpsearch.trial.averaging import Average, with_averaging
from hpsearch.trial.groups import Groups
from hpsearch.trial.loop import train
from hpsearch.trial.reading import END
from tests.support.jobs import CLASSES, FEATURES, at, curve, drive, make_job, same_weights, weights

BATCH_NORM = partial(MLP, (FEATURES,), CLASSES, hidden=(8,), norm="batch")


class Noisy(nn.Module):
    """Batch normalization behind dropout of torch's own, whose draws nothing may move."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 3))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.seen += 1
        return self.layers(x)


def job_of(folder, averaging, make_model=BATCH_NORM, **more):
    more = {"epochs": 5, **more}
    further = {"averaging": averaging, **more.pop("more", {})}
    return make_job(folder, make_model=make_model, eval_initial=False, more=further, **more)


def end_of(job):
    return torch.load(job.folder / END, weights_only=True)


def by_torch(job, average, after_steps, after_epochs):
    """Train as torch's page on averaging does; return the states and the validation losses of the averaged model."""
    split, states, losses = job.splits.train, [], []
    averaged = AveragedModel(job.model, multi_avg_fn=average)
    for epoch in range(1, job.epochs + 1):
        order = torch.randperm(len(split), generator=rng.seeded(torch.Generator(), job.seed, "order", epoch))
        batches = [(split.x[rows], split.y[rows]) for rows in order.split(job.batching.size)]
        job.model.train()
        for x, y in batches:
            job.optimizer.zero_grad()
            job.loss(job.model(x), y).backward()
            job.optimizer.step()
            if after_steps:
                averaged.update_parameters(job.model)
        if epoch in after_epochs:
            averaged.update_parameters(job.model)
        shown = averaged if averaged.n_averaged else copy.deepcopy(job.model)
        if after_steps or epoch in after_epochs:
            update_bn(batches, averaged)
        shown.eval()
        states.append({name: value.clone() for name, value in averaged.module.state_dict().items()})
        losses.append(job.loss(shown(job.splits.valid.x), job.splits.valid.y).item())
    return states, losses


CASES = {
    "EMA": (TorchEMA(decay=0.9), get_ema_multi_avg_fn(0.9), True, ()),
    "SWA": (SWA(start=0.4), get_swa_multi_avg_fn(), False, (3, 4, 5)),
    "SWA every 2": (SWA(start=2, every=2), get_swa_multi_avg_fn(), False, (2, 4)),
}


@pytest.mark.parametrize("case", CASES)
def test_averages_are_those_of_torch(tmp_path, case):
    averaging, average, after_steps, after_epochs = CASES[case]
    ours, slow = job_of(tmp_path, averaging), job_of(tmp_path, None)
    messages, _ = drive(train(ours))
    states, losses = by_torch(slow, average, after_steps, after_epochs)
    assert [report.metrics["valid/loss"] for report in messages[1:]] == pytest.approx(losses, rel=1e-6)
    end = end_of(ours)
    assert same_weights(end["model"], slow.model.state_dict())
    kept = end["average"]["weights"]
    assert kept.keys() == states[-1].keys()
    for name, value in kept.items():
        torch.testing.assert_close(value, states[-1][name], rtol=1e-6, atol=1e-7)
    best = min(range(5), key=lambda epoch: (-messages[1 + epoch].metrics["valid/acc"], epoch))
    file = safetensors.torch.load_file(tmp_path / checkpoint.BEST)
    if after_steps or best + 1 >= after_epochs[0]:
        for name, value in file.items():
            torch.testing.assert_close(value, states[best][name], rtol=1e-6, atol=1e-7)


def test_the_average_with_warmup_is_the_mean_by_age(tmp_path, monkeypatch):
    seen = []
    job = job_of(tmp_path, EMA(epochs=0.5), MLPS["plain"], epochs=2)
    step = job.optimizer.step
    monkeypatch.setattr(job.optimizer, "step", lambda: (step(), seen.append(weights(job))))
    drive(train(job))
    age = torch.arange(len(seen)).flip(0).double()
    share = torch.exp(-age / (0.5 * job.steps_per_epoch))
    for name, value in end_of(job)["average"]["weights"].items():
        mean = sum(s * each[name].double() for s, each in zip(share / share.sum(), seen, strict=True))
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-6)


MLPS = {"plain": partial(MLP, (FEATURES,), CLASSES, hidden=(8,)), "noisy": Noisy}


@pytest.mark.parametrize("averaging", [EMA(), SWA(start=1)], ids=["ema", "swa"])
def test_what_is_trained_does_not_know_of_the_average(tmp_path, averaging):
    with_it = job_of(tmp_path / "a", averaging, Noisy, more={"mixing": Mixup(alpha=1.0)})
    without = job_of(tmp_path / "b", None, Noisy, more={"mixing": Mixup(alpha=1.0)})
    first, second = (drive(train(job))[0] for job in (with_it, without))
    assert same_weights(end_of(with_it)["model"], end_of(without)["model"])
    for one, other in zip(first[1:], second[1:], strict=True):
        assert one.steps == other.steps and one.metrics["train/loss"] == other.metrics["train/loss"]
    assert first[-1].metrics["valid/loss"] != second[-1].metrics["valid/loss"]


@pytest.mark.parametrize("averaging", [EMA(epochs=0.3), SWA(start=2, every=2)], ids=["ema", "swa"])
@pytest.mark.parametrize("paused_at", [1, 2, 3, 4])
def test_a_paused_trial_goes_on_bit_for_bit(tmp_path, averaging, paused_at):
    whole_job = job_of(tmp_path / "whole", averaging, Noisy, test=True)
    whole, _ = drive(train(whole_job))
    drive(train(job_of(tmp_path / "paused", averaging, Noisy, test=True)), at(paused_at, Decision.PAUSE))
    resumed = job_of(tmp_path / "paused", averaging, Noisy, test=True)
    after, _ = drive(train(resumed))
    assert curve(after) == curve(whole)
    for name in ("model", "average", "best"):
        assert str(end_of(resumed)[name]) == str(end_of(whole_job)[name])


def test_the_best_averaged_weights_come_back_and_the_trained_ones_go_on(tmp_path):
    stopping = {"early_stopping": EarlyStopping(patience=2, min_delta=0.2)}
    job = job_of(tmp_path, EMA(), epochs=9, test=True, more=stopping)
    messages, result = drive(train(job))
    assert result.facts["stopped_epoch"] < 9
    best = safetensors.torch.load_file(tmp_path / checkpoint.BEST)
    assert same_weights(weights(job), best)
    raw = job_of(tmp_path / "raw", None, epochs=result.facts["stopped_epoch"])
    drive(train(raw))
    assert same_weights(end_of(job)["model"], weights(raw))
    job.model.eval()
    tested = job.loss(job.model(job.splits.test.x), job.splits.test.y).item()
    assert messages[-1].metrics["test/loss"] == pytest.approx(tested, rel=1e-6)


def test_the_test_split_sees_the_last_average(tmp_path):
    job = job_of(tmp_path, EMA(), test=True, objective=Objective("valid/acc", reduce="last"))
    messages, _ = drive(train(job))
    kept = end_of(job)["average"]["weights"]
    job.model.load_state_dict(kept)
    job.model.eval()
    tested = job.loss(job.model(job.splits.test.x), job.splits.test.y).item()
    assert messages[-1].metrics["test/loss"] == pytest.approx(tested, rel=1e-6)


def test_a_last_state_gives_the_averaged_weights(tmp_path):
    job = job_of(tmp_path, EMA())
    drive(train(job), at(3, Decision.PAUSE))
    kept = torch.load(tmp_path / checkpoint.LAST, weights_only=True)
    assert checkpoint.load_weights(tmp_path / checkpoint.LAST, "key", job.model) == 3
    assert same_weights(weights(job), kept["average"]["weights"])
    assert not same_weights(weights(job), kept["model"])


def test_a_look_leaves_no_trace(tmp_path):
    """Neither of the draws that training goes on with, nor of the buffers that a pass in training mode counts in."""
    job = job_of(tmp_path, EMA(), Noisy)
    drive(train(job))
    parameters = {name: value.detach() + 1 for name, value in job.model.named_parameters()}
    average = Average(job, Groups(job), checkpoint.Averaged("EMA of 1 epoch", 1, parameters, epoch=5))
    job.model.seen.fill_(7)
    before, draws = weights(job), torch.get_rng_state()
    with average.shown():
        assert torch.equal(job.model.layers[0].weight, before["layers.0.weight"] + 1)
        assert not torch.equal(job.model.layers[1].running_mean, before["layers.1.running_mean"])
        assert job.model.seen == 7
    assert same_weights(weights(job), before)
    assert torch.equal(torch.get_rng_state(), draws)


def test_frozen_layers_keep_their_statistics(tmp_path):
    job = job_of(tmp_path, EMA(), Noisy)
    norm = job.model.layers[1]
    norm.requires_grad_(False)
    norm.running_mean.fill_(0.25)
    drive(train(replace(job, frozen=(norm,))))
    assert set(safetensors.torch.load_file(tmp_path / checkpoint.BEST)["layers.1.running_mean"].tolist()) == {0.25}


def test_a_rule_that_changed_begins_anew(tmp_path):
    job = job_of(tmp_path, EMA())
    drive(train(job), at(2, Decision.PAUSE))
    other = job_of(tmp_path, EMA(epochs=3.0))
    drive(train(other))
    assert end_of(other)["average"]["count"] == 3 * other.steps_per_epoch


def test_a_trial_says_which_weights_its_numbers_are_of(tmp_path):
    assert with_averaging(job_of(tmp_path, EMA())).facts["weights"] == "averaged (EMA of 1 epoch)"
    plain = job_of(tmp_path, None)
    assert with_averaging(plain) is plain
    changed = with_averaging(job_of(tmp_path, SWA(start=3, lr=0.5)))
    assert changed.table.lr.tolist() == [0.1] * 12 + [0.5] * 18
    plateau = Plateau(partial(ReduceLROnPlateau, mode="max"), 0.1, "valid/acc")
    with pytest.raises(ConfigError, match=r"regularizer\.swa\.lr: the schedule's rate follows valid/acc; use null"):
        with_averaging(job_of(tmp_path, SWA(lr=0.5), more={"plateau": plateau}))
