"""What is kept of single samples: of the evaluations that make the score, with the score as their mean."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from hpsearch.base.samples import SAMPLES, read_samples
from hpsearch.base.types import Decision, Objective, TrialState, end_values
from hpsearch.config.compose import compose, trial_key
from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.data.units import Units, units_of
from hpsearch.losses.class_weights import each_loss
from hpsearch.losses.focal import Focal
from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.regularizers import EarlyStopping
from hpsearch.trial.loop import train
from tests.support.jobs import VALID, at, drive, make_job, make_splits

STOPPED = {"more": {"early_stopping": EarlyStopping(metric="valid/loss", patience=2)}, "epochs": 12}


def trained(folder, **fields):
    """Train a small trial; return its score, its last report and what it kept."""
    job = make_job(folder, **fields)
    messages, result = drive(train(job))
    assert result.state is TrialState.COMPLETE
    curve = {each.epoch: each.metrics[job.objective.metric] for each in messages[1:]}
    last = messages[-1]
    score = job.objective.score(curve, end_values(last, job.objective.metric))
    return score, last, read_samples(folder / SAMPLES, "key")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"epochs": 12},
        {"objective": Objective("valid/acc", reduce="last")},
        {"objective": Objective("valid/acc", reduce="best"), "epochs": 12, "lr": 1.0},
        {"objective": Objective("valid/loss", "minimize")},
        {"metrics": {"f1": F1Macro()}, "objective": Objective("valid/f1")},
        {"objective": Objective("valid/auroc"), "metrics": {"auroc": Auroc()}},
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.1), "objective": Objective("valid/loss", "minimize")},
        STOPPED,
        {**STOPPED, "objective": Objective("valid/loss", "minimize", reduce="last")},
        {"steps": 13, "eval_steps": 5},
    ],
    ids=lambda fields: " ".join(fields) or "default",
)
def test_the_mean_over_samples_is_the_score(tmp_path, fields):
    score, _, kept = trained(tmp_path, **fields)
    metric = fields.get("objective", Objective("valid/acc")).metric
    assert len(kept.values[metric]) == VALID
    assert kept.values[metric].mean() == pytest.approx(score, rel=1e-5)
    assert kept.values.keys() == {metric, "valid/acc"}


def test_test_results_are_of_the_evaluations_of_the_score(tmp_path):
    _, last, kept = trained(tmp_path / "end", epochs=12, test=True)
    assert kept.values["test/acc"].mean() == pytest.approx(np.mean([m["test/acc"] for _, m in last.end]))
    _, last, kept = trained(tmp_path / "stopped", **STOPPED, test=True)
    assert kept.values["test/acc"].mean() == pytest.approx(last.metrics["test/acc"])


def test_a_regression_keeps_errors_whose_mean_is_the_root(tmp_path):
    torch.manual_seed(0)
    parts = [Split(x := torch.randn(n, 3), x.sum(1, keepdim=True) + torch.randn(n, 1)) for n in (60, 30)]
    splits = Splits(*parts, None, (3,), 1, "regression", (), "digest")
    for metric in ("valid/rmse", "valid/loss", "valid/r2"):
        score, _, kept = trained(
            tmp_path / metric, splits=splits, loss=nn.MSELoss(), lr=0.01, objective=Objective(metric, "minimize")
        )
        assert kept.values.keys() == {metric} and kept.values[metric].mean() == pytest.approx(score, rel=1e-4)


def test_nothing_more_is_kept_than_asked_for(tmp_path):
    _, _, kept = trained(tmp_path / "none", keep_predictions="none")
    assert kept is None and not (tmp_path / "none" / SAMPLES).exists()
    _, last, _ = trained(tmp_path / "all", keep_predictions="all", epochs=12)
    with safe_open(tmp_path / "all" / SAMPLES, "np") as file:
        outputs, y = file.get_tensor("outputs:valid"), file.get_tensor("targets:valid")
    assert outputs.shape == (VALID, 3) and (outputs.argmax(1) == y).mean() == pytest.approx(last.metrics["valid/acc"])
    trained(tmp_path / "scores")
    with safe_open(tmp_path / "scores" / SAMPLES, "np") as file:
        assert [*file.keys()] == ["bits:valid/acc"]


def test_a_trial_that_was_pruned_keeps_none(tmp_path):
    _, result = drive(train(make_job(tmp_path)), at(2, Decision.STOP))
    assert result.state is TrialState.PRUNED and not (tmp_path / SAMPLES).exists()


@pytest.mark.parametrize("fields", [{"epochs": 12}, STOPPED, {"objective": Objective("valid/acc", reduce="best")}])
def test_a_resumed_trial_keeps_the_same(tmp_path, fields):
    whole = trained(tmp_path / "whole", **fields)[2]
    run = train(make_job(tmp_path / "parts", **fields))
    _, result = drive(run, at(2, Decision.PAUSE))
    assert result.state is TrialState.PAUSED
    resumed = trained(tmp_path / "parts", **fields)[2]
    for name, each in whole.values.items():
        assert np.array_equal(each, resumed.values[name])


def test_the_units_of_samples_are_kept_with_them(tmp_path):
    groups = Units({"valid": np.repeat(np.arange(8, dtype=np.int32), VALID // 8)}, "group")
    _, _, kept = trained(tmp_path, splits=replace(make_splits(), units=groups))
    assert kept.unit == "group" and np.array_equal(kept.units["valid"], groups.of["valid"])


def test_keeping_them_is_no_part_of_what_a_trial_is():
    kept, not_kept = (compose([f"trainer.keep_predictions={how}"]).trial({}, 0) for how in ("scores", "none"))
    assert kept.key == not_kept.key == trial_key(kept.config)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), Focal(2.0), nn.MSELoss(), nn.HuberLoss(), nn.L1Loss()])
def test_losses_of_samples_have_the_loss_as_their_mean(loss):
    outputs, y = torch.randn(7, 3), torch.randint(3, (7,))
    y = y if isinstance(loss, nn.CrossEntropyLoss | Focal) else torch.randn(7, 3)
    each = each_loss(loss, outputs, y)
    assert each.shape == (7,) and float(each.mean()) == pytest.approx(float(loss(outputs, y)), rel=1e-5)


def test_a_loss_that_gives_no_more_than_its_mean_keeps_none():
    class Own(nn.Module):
        def forward(self, outputs, y):
            return (outputs - y).square().mean()

    assert each_loss(Own(), torch.randn(7, 1), torch.randn(7, 1)) is None


def test_groups_and_blocks_of_time_are_units():
    found = units_of({"valid": np.asarray(["b", "a", "b", "c"])}, {"valid": None})
    assert found.of["valid"].tolist() == [1, 0, 1, 2] and found.name == "group"
    assert found.facts == {"data.valid_units": 2}
    time = np.random.default_rng(0).permutation(np.repeat(np.arange(300), 2))
    blocks = units_of({"valid": None}, {"valid": time})
    assert blocks.name == "block of time" and np.bincount(blocks.of["valid"]).tolist() == [60] * 10
    assert all(
        blocks.of["valid"][i] <= blocks.of["valid"][j] for i, j in zip(*[iter(np.argsort(time))] * 2, strict=True)
    )
    assert units_of({"valid": None}, {"valid": np.asarray([3, 1, 1, 2])}).of["valid"].tolist() == [2, 0, 0, 1]
    assert units_of({"valid": None}, {"valid": None}).facts == {}
