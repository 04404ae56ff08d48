"""A metric that is undefined in an epoch: what is said, and that it is no divergence."""

import math

import pytest
import torch

from hpsearch.base.outcome import diverged
from hpsearch.base.types import Objective, TrialState
from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.metrics.auroc import Auroc
from hpsearch.trial.loop import train
from tests.support.jobs import drive, make_job


def rare(positive=2, size=96):
    """Two classes, of which the second is rare in the training part and common in the validation part."""
    x = torch.randn(size, 6, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(size, dtype=torch.int64)
    y[-positive:] = 1
    valid = Split(x[:20], torch.arange(20) % 2)
    return Splits(Split(x, y), valid, None, (6,), 2, "classification", ("no", "yes"), "digest")


def numbers(size=49):
    x = torch.randn(size, 6, generator=torch.Generator().manual_seed(0))
    part = Split(x, x[:, :1] * 2)
    return Splits(part, part, None, (6,), 1, "regression", (), "digest")


class SometimesNan:
    """A metric of a user's that has no number from the third pass over a part on."""

    def __init__(self):
        self.passes = 0

    def reset(self):
        pass

    def update(self, outputs, y):
        pass

    def compute(self):
        return math.nan if STATE["passes"] >= 3 else 0.5


STATE = {"passes": 0}


def ended(folder, metric, **fields):
    objective = fields.pop("objective", Objective(metric))
    messages, result = drive(train(make_job(folder, objective=objective, **fields)))
    return messages[-1].metrics[metric], result


def test_a_last_pass_of_one_class_is_said_and_is_no_divergence(tmp_path):
    fields = {"splits": rare(), "metrics": {"auroc": Auroc()}, "lr": 0.01, "more": {"shuffle": False}}
    value, result = ended(tmp_path / "whole", "train/auroc", **fields, epochs=2)
    assert result.state is TrialState.COMPLETE and math.isfinite(value)
    more = {**fields, "splits": rare(), "epochs": 2, "steps": 7}
    value, result = ended(tmp_path / "cut", "train/auroc", **more)
    assert math.isnan(value) and result.state is TrialState.INFEASIBLE
    said = "not compared: train/auroc is not defined: all 16 samples are of one class after epoch 2"
    assert result.reason == said and not diverged(result.state, result.reason)


def test_of_the_best_value_those_that_are_undefined_do_not_count(tmp_path):
    objective = Objective("train/auroc", reduce="best")
    fields = {"splits": rare(), "metrics": {"auroc": Auroc()}, "lr": 0.01, "epochs": 2, "steps": 7}
    fields["more"] = {"shuffle": False}
    value, result = ended(tmp_path, "train/auroc", objective=objective, **fields)
    assert math.isnan(value) and result.state is TrialState.COMPLETE
    for maximize in ("maximize", "minimize"):
        for curve in ({1: math.nan, 2: 0.5}, {1: 0.5, 2: math.nan}):
            assert Objective("m", maximize, reduce="best").score(curve) == 0.5
    assert math.isnan(Objective("m", reduce="best").score({1: math.nan}))


def test_targets_that_do_not_vary(tmp_path):
    fields = {"splits": numbers(), "loss": torch.nn.MSELoss(), "batch_size": 48, "lr": 0.001, "epochs": 2, "steps": 3}
    value, result = ended(tmp_path, "train/r2", **fields)
    assert math.isfinite(value) and result.state is TrialState.COMPLETE
    value, result = ended(tmp_path / "one", "train/r2", **{**fields, "batch_size": 1, "epochs": 1, "steps": 1})
    assert math.isnan(value)
    assert result.reason == "not compared: train/r2 is not defined: the 1 targets do not vary after epoch 1"


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_metric_of_ones_own_that_has_no_number(tmp_path, part):
    STATE["passes"] = 3
    value, result = ended(tmp_path, f"{part}/odd", metrics={"odd": SometimesNan()}, epochs=1)
    assert math.isnan(value) and result.state is TrialState.INFEASIBLE
    assert result.reason.startswith(
        f"not compared: {part}/odd is not defined: it is nan after epoch 1, where valid/loss"
    )
    STATE["passes"] = 0
    assert (
        ended(tmp_path / "0", f"{part}/odd", metrics={"odd": SometimesNan()}, epochs=1)[1].state is TrialState.COMPLETE
    )
