"""When a trial is evaluated, and that it changes nothing else."""

import math
from dataclasses import replace
from fractions import Fraction
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Objective, Report, Started, TrialState
from hpsearch.regularizers import EMA, SWA, EarlyStopping
from hpsearch.schedules.plateau import Plateau
from hpsearch.trial.evaluations import epoch_at, evaluation_steps
from hpsearch.trial.loop import train
from tests.support.jobs import curve, drive, make_job, same_weights, weights

PER_EPOCH = 6  # 90 samples in batches of 16


def by_walking(steps, per_epoch, every, every_steps):
    """Walk through the updates one by one, and evaluate after the first at or after each mark."""
    stride = Fraction(every_steps) if every_steps else Fraction(str(every)) * per_epoch
    found, mark = [], stride
    for step in range(1, steps + 1):
        if step >= mark:
            found.append(step)
            while mark <= step:
                mark += stride
        elif step == steps:
            found.append(step)
    return tuple(found)


@pytest.mark.parametrize("per_epoch", [1, 2, 3, 7, 10, 97])
@pytest.mark.parametrize("epochs", [1, 2, 5, 10])
def test_the_updates_after_which_is_evaluated(per_epoch, epochs):
    steps = per_epoch * epochs
    for every in (1e-300, 0.01, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.75, 1, 1.0, 1.5, 2, 3, 100):
        found = evaluation_steps(steps, per_epoch, every)
        assert found == by_walking(steps, per_epoch, max(every, 1e-4), None) and found[-1] == steps
    for every_steps in (1, 2, 5, 10, 11, 1000):
        found = evaluation_steps(steps, per_epoch, 1, every_steps)
        assert found == by_walking(steps, per_epoch, None, every_steps) and found[-1] == steps
    assert evaluation_steps(steps, per_epoch, 1) == tuple(range(per_epoch, steps + 1, per_epoch))


def test_the_end_is_evaluated_where_the_last_pass_is_cut_short_or_nothing_is_trained():
    assert evaluation_steps(25, 10, 1) == (10, 20, 25)
    assert [epoch_at(step, 25, 10, True) for step in (10, 20, 25)] == [1, 2, 3]
    assert [epoch_at(step, 25, 10, False) for step in (10, 20, 25)] == [1, 2, 2.5]
    assert evaluation_steps(0, 10, 1) == ()
    assert isinstance(epoch_at(10, 25, 10, False), int)


def trained(folder, decide=None, **fields):
    """Return a trial's reports by epoch, its result, and its last weights."""
    job = make_job(folder, **{"epochs": 4, "watch_layers": False, "checkpoint_sec": 0, **fields})
    messages, result = drive(train(job), *([] if decide is None else [decide]))
    return {row[0]: row for row in curve(messages)}, result, weights(job)


class Noisy(nn.Module):
    """A network with random numbers of torch's global generator and batch statistics, in evaluations too."""

    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(6), nn.Linear(6, 3)

    def forward(self, x):
        return self.linear(nn.functional.dropout(self.norm(x), 0.3, training=True))


def plateau():
    return Plateau(partial(ReduceLROnPlateau, factor=0.5, patience=0, threshold=0.1), 0.1, "valid/loss")


KINDS = {
    "plain": {},
    "dropout": {"dropout": 0.3},
    "global generator": {"make_model": Noisy},
    "frozen": {"make_model": Noisy, "freeze": True},
    "plateau": {"more": {"plateau": plateau()}},
    "steps": {"steps": 22},
    "moving average": {"make_model": Noisy, "more": {"averaging": EMA(epochs=0.5)}},
    "mean of weights": {"make_model": Noisy, "more": {"averaging": SWA(start=1, every=2)}},
    "adam": {"make_optimizer": partial(torch.optim.Adam, lr=0.01)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_epochs_are_the_same_however_often_is_evaluated(tmp_path, kind, monkeypatch):
    fields = dict(KINDS[kind])
    if fields.pop("freeze", False):
        model = Noisy()
        fields["make_model"] = lambda: model
        model.norm.requires_grad_(False)
        fields["more"] = {"frozen": (model.norm,)}
        state = {name: value.clone() for name, value in model.state_dict().items()}
    once, _, last = trained(tmp_path / "1", **fields)
    frequencies = {"half": {"eval_every": 0.5}, "two": {"eval_every": 2}}
    if kind == "global generator":
        frequencies["tenth"] = {"eval_every": 0.1}
    for name, often in {**frequencies, "steps": {"eval_steps": 4}}.items():
        if "frozen" in fields.get("more", {}):
            fields["make_model"]().load_state_dict(state)
        more, _, same = trained(tmp_path / name, **fields, **often)
        shared = [epoch for epoch in once if epoch in more]
        assert shared[-1] == 4 or kind == "steps"
        assert len(more) > len(once) or name in ("two", "steps")
        for epoch in shared:
            assert more[epoch][:3] == once[epoch][:3], (name, epoch)
        assert same_weights(same, last)
        logged = [[step for row in each.values() for step in row[3]] for each in (once, more)]
        assert logged[0] == logged[1]


def test_few_evaluations_are_those_of_the_default(tmp_path):
    once, _, last = trained(tmp_path / "1", epochs=10)
    few, result, same = trained(tmp_path / "3", epochs=10, eval_every=3)
    assert list(few) == [0, 3, 6, 9, 10] and same_weights(same, last)
    assert [few[epoch][:3] for epoch in few] == [once[epoch][:3] for epoch in few]
    assert [step for row in few.values() for step in row[3]] == [step for row in once.values() for step in row[3]]
    best = max((0, 3, 6, 9, 10), key=lambda epoch: (once[epoch][2]["valid/acc"], -epoch) if epoch else (-1, 0))
    assert result.facts["best_epoch"] == best
    only, _, _ = trained(tmp_path / "99", epochs=10, eval_every=99)
    assert list(only) == [0, 10] and only[10][:3] == once[10][:3]


def test_training_metrics_are_those_of_the_epoch_so_far(tmp_path):
    found, _, _ = trained(tmp_path, epochs=2, eval_steps=4, log_every=1)
    assert list(found) == [0, 4 / 6, 8 / 6, 2]
    losses = dict(pair for row in found.values() for pair in row[3])
    assert list(losses) == list(range(1, 13))
    sizes = {step: 10 if step % PER_EPOCH == 0 else 16 for step in losses}
    for epoch, steps in {4 / 6: range(1, 5), 8 / 6: range(7, 9), 2: range(7, 13)}.items():
        mean = sum(losses[step] * sizes[step] for step in steps) / sum(sizes[step] for step in steps)
        assert found[epoch][2]["train/loss"] == pytest.approx(mean, rel=1e-6)
    assert [row[1] for row in found.values()] == [0, 4, 8, 12]


@pytest.mark.parametrize("often", [{"eval_every": 0.5}, {"eval_steps": 4}, {"eval_every": 3}], ids=str)
@pytest.mark.parametrize("stop", [0.5, 1, 4 / 3, 1.5, 3])
def test_a_trial_that_pauses_goes_on_with_the_same_curve(tmp_path, often, stop):
    whole, _, last = trained(tmp_path / "whole", make_model=Noisy, **often)

    def decide(message):
        return Decision.PAUSE if isinstance(message, Report) and message.epoch == stop else Decision.CONTINUE

    first, result, _ = trained(tmp_path / "parts", decide, make_model=Noisy, **often)
    if stop not in whole:
        assert result.state is TrialState.COMPLETE
        return
    assert result.state is TrialState.PAUSED
    assert max(first) <= math.ceil(stop)
    job = make_job(tmp_path / "parts", epochs=4, watch_layers=False, checkpoint_sec=0, make_model=Noisy, **often)
    messages, result = drive(train(job))
    assert result.state is TrialState.COMPLETE
    assert isinstance(messages[0], Started) and messages[0].epoch == math.ceil(stop)
    assert {row[0]: row for row in curve(messages)} == whole
    assert same_weights(weights(job), last)


def test_a_trial_that_is_killed_between_epochs_reports_the_same_again(tmp_path):
    whole, _, _ = trained(tmp_path / "whole", eval_every=0.25)
    run = train(make_job(tmp_path / "parts", epochs=4, watch_layers=False, checkpoint_sec=0, eval_every=0.25))
    (message,) = next(run)
    while not (isinstance(message, Report) and message.epoch > 2.4):
        (message,) = run.send((Decision.CONTINUE,))
    run.close()
    again, _, _ = trained(tmp_path / "parts", eval_every=0.25)
    assert again == whole


def test_a_stop_between_two_epochs_ends_a_trial_there(tmp_path):
    def decide(message):
        return Decision.STOP if isinstance(message, Report) and message.epoch == 1.5 else Decision.CONTINUE

    found, result, _ = trained(tmp_path, decide, eval_every=0.5)
    assert max(found) == 1.5 and result.state is TrialState.PRUNED and result.reason == "stopped after epoch 1.5"
    assert not (tmp_path / "end.pt").exists()  # there is no state between two epochs


def test_patience_counts_epochs(tmp_path):
    def ended(folder, **often):
        more = {"early_stopping": EarlyStopping(metric="train/penalty", patience=2, restore_best=False)}
        found, result, _ = trained(tmp_path / folder, epochs=9, more=more, regularizers={"flat": Flat()}, **often)
        return max(found), result.facts.get("stopped_epoch")

    assert ended("1") == (3, 3)
    assert ended("half", eval_every=0.5) == (2.5, 2.5)
    assert ended("2", eval_every=2) == (4, 4)
    assert ended("3", eval_every=3) == (6, 6)


class Flat:
    """A penalty that does not change."""

    def penalty(self, named):
        return sum((p * 0).sum() for _, p in named) + 1


def test_the_best_of_all_evaluations_is_kept(tmp_path):
    objective = Objective("valid/loss", "minimize", reduce="best")
    often, result, _ = trained(tmp_path, objective=objective, eval_every=0.5, lr=0.5)
    best = min((row[2]["valid/loss"], epoch) for epoch, row in often.items() if epoch)
    assert (result.facts["best_score"], result.facts["best_epoch"]) == best


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"eval_every": 0}, r"trainer\.eval_every = 0: "),
        ({"eval_every": -1}, r"trainer\.eval_every = -1: "),
        ({"eval_every": float("nan")}, r"trainer\.eval_every = nan: "),
        ({"eval_every": "x"}, r"trainer\.eval_every = 'x': "),
        ({"eval_every": True}, r"trainer\.eval_every = True: "),
        ({"eval_steps": 0}, r"trainer\.eval_steps = 0: "),
        ({"eval_steps": 1.5}, r"trainer\.eval_steps = 1\.5: "),
        ({"eval_every": 2, "eval_steps": 5}, r"trainer\.eval_steps = 5: trainer\.eval_every = 2 says it in epochs "),
    ],
)
def test_what_cannot_be(tmp_path, fields, said):
    with pytest.raises(ConfigError, match=said):
        make_job(tmp_path, **fields)


def test_norms_are_left_out_where_none_was_measured(tmp_path):
    job = make_job(tmp_path, epochs=1, eval_steps=1)
    job = replace(job, trainer=replace(job.trainer, eval_steps=1))
    rows = curve(drive(train(job))[0])
    assert "grad_norm" not in rows[0][2] and "grad_norm" in rows[-1][2]
