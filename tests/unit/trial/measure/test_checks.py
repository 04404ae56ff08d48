import math
from dataclasses import asdict, replace
from functools import partial

import pytest
import torch
from torch import nn

from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.losses.hinge import Hinge
from hpsearch.losses.perceptron import Perceptron
from hpsearch.losses.squared_error import SquaredError
from hpsearch.models.mlp import MLP
from hpsearch.regularizers import L2
from hpsearch.study.stages.initial_loss import InitialLoss as InitialLossGate
from hpsearch.trial.measure.checks import gradient_isolation, initial_loss, trace
from hpsearch.trial.measure.short_runs import Fit, input_baseline, overfit_small, standard_errors
from tests.support.jobs import make_job, make_splits, same_weights, weights


def zero(job):
    with torch.no_grad():
        for parameter in job.model.parameters():
            parameter.zero_()
    return job


def test_outputs_zero_have_ln_c_and_the_best_constant_the_entropy_of_the_shares(tmp_path):
    job = zero(make_job(tmp_path))
    found = initial_loss(job, 1000)
    shares = torch.bincount(job.splits.train.y).double() / len(job.splits.train)
    assert found.loss == pytest.approx(math.log(3), rel=1e-6)
    assert found.zero == pytest.approx(math.log(3), rel=1e-6)
    assert found.guess == pytest.approx(float(-(shares * shares.log()).sum()), rel=1e-5)
    assert (found.weights, found.penalty) == (0, 0)


def test_the_best_constant_of_a_regression_has_the_variance_of_the_targets(tmp_path):
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    part = Split(x, 3 + x[:, :1])
    splits = Splits(part, part, None, (2,), 1, "regression", (), "digest")
    job = replace(make_job(tmp_path, splits=splits, make_model=partial(MLP, (2,), 1, hidden=(4,))), loss=nn.MSELoss())
    found = initial_loss(job, 64)
    assert found.guess == pytest.approx(float(part.y.var(correction=0)), rel=1e-5)
    assert found.zero == pytest.approx(float(part.y.square().mean()), rel=1e-5)


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 1), ("sum", 2)])
def test_a_sum_is_told_from_a_mean_and_nothing_is_updated(tmp_path, reduction, factor):
    job = replace(make_job(tmp_path), loss=nn.CrossEntropyLoss(reduction=reduction))
    before = weights(job)
    assert initial_loss(job, 1000).summed == pytest.approx(factor, rel=1e-5)
    assert same_weights(before, weights(job))


def test_the_penalty_is_the_regularizers_own(tmp_path):
    job = make_job(tmp_path, regularizers={"l2": L2(strength=0.5)})
    squares = sum(float(p.detach().square().sum()) for p in job.model.parameters() if p.ndim > 1)
    assert initial_loss(job, 90).penalty == pytest.approx(0.25 * squares, rel=1e-5)


def test_samples_that_are_mixed_are_measured(tmp_path):
    class Mixed(MLP):
        def forward(self, x):
            return super().forward(x + 0.5 * x.roll(1, 0))

    sound = gradient_isolation(make_job(tmp_path), 8)
    mixed = gradient_isolation(make_job(tmp_path, make_model=partial(Mixed, (6,), 3, hidden=(8,))), 8)
    assert (sound.model_leak, sound.repeat, sound.loss_leak) == (0, 0, 0)
    assert mixed.model_leak > 0.1


def test_two_traces_are_equal_and_another_seed_is_not(tmp_path):
    one, two, other = (trace(make_job(tmp_path, seed=seed), 8) for seed in (1, 1, 2))
    assert one == two != other


def test_the_inputs_help_and_shuffled_labels_do_not(tmp_path):
    job = make_job(tmp_path, splits=make_splits(300))
    before = weights(job)
    found = input_baseline(job, (1.0,), 60, 2.0)
    assert found.runs[0].errors > 2 and math.isnan(found.linear_errors)
    assert same_weights(before, weights(job))
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    shuffled = replace(job.splits, train=Split(job.splits.train.x, job.splits.train.y[order]))
    found = input_baseline(replace(job, splits=shuffled), (1.0,), 60, 2.0)
    assert found.runs[0].errors < 2 and found.linear_errors < 3


def test_a_small_sample_is_one_batch_of_each_row_once_however_epochs_are_drawn(tmp_path):
    drawn = make_job(tmp_path, batch_size=30, more={"sampling": "balanced"})
    plain = make_job(tmp_path, batch_size=30)
    assert overfit_small(drawn, 12, 3, (), 0.01) == overfit_small(plain, 12, 3, (), 0.01)


def test_a_small_sample_is_learnt_by_heart(tmp_path):
    found = overfit_small(make_job(tmp_path, batch_size=30), 12, 500, (0.1, 10.0), 0.01)
    assert found.samples == 12 and found.runs[-1].fitted and found.runs[-1].accuracy == 1
    assert found.guess == pytest.approx(math.log(3), rel=1e-6)


def test_standard_errors_are_those_of_a_t_statistic():
    values = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert standard_errors(values) == pytest.approx(3 / (float(values.std()) / 2))
    assert standard_errors(torch.tensor([1.0, math.inf])) == 0


@pytest.mark.parametrize(("losses", "first"), [((1.0, 0.9), (0.3, 0.03)), ((1.0, 2.0), (0.03, 0.3))])
def test_the_nearest_other_rates_come_first_the_smaller_one_where_the_loss_rose(tmp_path, monkeypatch, losses, first):
    tried = []

    def fit(job, rate, steps, goal):
        tried.append(round(rate, 6))
        return Fit(rate, losses, 0.5, losses[-1], False, False)

    monkeypatch.setattr("hpsearch.trial.measure.short_runs._fit", fit)
    overfit_small(make_job(tmp_path, lr=0.1), 4, 2, [0.01, 0.3, 3.0, 100.0], 0.1)
    assert tried[:3] == [0.1, *first] and set(tried[3:]) == {0.001, 10.0}


def scaled(factor):
    model = MLP((6,), 3, hidden=(8,))
    with torch.no_grad():
        model.output.weight.mul_(factor)
    return model


GATED = {
    "hinge": (Hinge(), 1.0),
    "a wide margin": (Hinge(4.0), 4.0),
    "every class": (Hinge(1.0, 1, "weston_watkins"), 2.0),
    "softmax": (SquaredError(), 2 / 9),
    "sigmoid": (SquaredError("sigmoid"), 1 / 4),
}


@pytest.mark.parametrize(("loss", "of_zeros"), GATED.values(), ids=GATED)
def test_losses_that_are_not_in_nats_may_start_as_high_as_large_outputs_make_them(tmp_path, loss, of_zeros):
    gate = InitialLossGate()
    quiet, loud = (make_job(tmp_path, make_model=partial(scaled, factor), loss=loss) for factor in (1.0, 60.0))
    found, shouted = initial_loss(quiet, 1000), initial_loss(loud, 1000)
    assert found.zero == pytest.approx(of_zeros, rel=1e-5)
    assert found.zero < found.loud and not list(gate._size(asdict(found)))
    assert [fault.cause for fault in gate._size(asdict(shouted))] == ["initial outputs too large"]


def test_what_a_perceptron_starts_with_is_not_too_much(tmp_path):
    found = initial_loss(make_job(tmp_path, make_model=partial(scaled, 60.0), loss=Perceptron()), 1000)
    assert (found.zero, found.guess, found.loud) == (0, 0, math.inf)
    assert not list(InitialLossGate()._size(asdict(found)))


@pytest.mark.parametrize(("outputs", "last"), [("softmax", nn.Softmax(1)), ("sigmoid", nn.Sigmoid())])
def test_outputs_that_are_probabilities_already_are_seen_under_a_squared_error(tmp_path, outputs, last):
    def make():
        return nn.Sequential(MLP((6,), 3, hidden=(8,)), last)

    for model, normalized in ((make, True), (partial(MLP, (6,), 3, hidden=(8,)), False)):
        job = make_job(tmp_path, make_model=model, loss=SquaredError(outputs))
        assert initial_loss(job, 90).normalized is normalized
