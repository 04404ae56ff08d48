import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from hpsearch.base.types import Objective, TrialState
from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.losses.focal import Focal
from hpsearch.losses.hinge import Hinge
from hpsearch.losses.perceptron import Perceptron
from hpsearch.losses.squared_error import SquaredError
from hpsearch.nn.dropout import Dropout
from hpsearch.trial.loop import train
from hpsearch.trial.measure.probe import fixed_rate_probe, range_test
from hpsearch.trial.reference import constant_facts, divergence_limit
from tests.support.jobs import drive, make_job, same_weights, weights

RARE = 0.01


def splits_of(y, classes=2, x=None):
    x = torch.randn(len(y), 4, generator=torch.Generator().manual_seed(1)) if x is None else x
    part = Split(x, y)
    names = tuple(map(str, range(classes))) if classes else ()
    return Splits(
        part, part, None, (4,), classes or y.shape[1], ("classification", "regression")[not classes], names, "d"
    )


def rare():
    """200 samples, two of them of class 1, neither among the first batches of seed 1."""
    y = torch.zeros(200, dtype=torch.int64)
    y[[17, 101]] = 1
    return splits_of(y)


def knowing(sharp=0.0):
    """A linear model whose bias knows the shares of the classes, and is as sure of class 0 as `sharp` makes it."""
    model = nn.Linear(4, 2)
    nn.init.zeros_(model.weight)
    model.bias.data = torch.tensor([1 - RARE, RARE]).log() * (1 + sharp)
    return model


CASES = {
    "prior_bias": {"make_model": knowing, "batch_size": 1},
    "batches": {"make_model": knowing, "batch_size": 8},
    "focal": {"make_model": knowing, "batch_size": 1, "loss": Focal(gamma=2.0)},
    "finetuned": {"make_model": partial(knowing, 1.0), "batch_size": 1},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_first_batch_that_costs_next_to_nothing_ends_no_trial(tmp_path, case):
    _, result = drive(train(make_job(tmp_path, splits=rare(), lr=1e-5, epochs=1, **case)))
    assert (result.state, result.reason) == (TrialState.COMPLETE, "")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("measure", ["probe", "range"])
def test_neither_does_it_end_a_search_for_the_learning_rate(tmp_path, case, measure):
    job = make_job(tmp_path, splits=rare(), **case)
    if measure == "probe":
        assert fixed_rate_probe(job, (1e-5,), 200 // job.batching.size).diverged == (0,)
    else:
        assert len(range_test(job, 1e-5, 1e-4, 200 // job.batching.size).losses) == 200 // job.batching.size


def test_one_far_target_among_many_is_no_divergence_at_batch_size_1(tmp_path):
    y = torch.zeros(200, 1)
    y[17] = 30.0
    job = make_job(tmp_path, splits=splits_of(y, 0), batch_size=1, lr=1e-5, epochs=1, loss=nn.MSELoss())
    _, result = drive(train(job))
    assert result.state is TrialState.COMPLETE


def test_a_loss_that_grows_slowly_is_caught(tmp_path):
    """From 0.69 by 5 % a step: within every window of ten steps it is less than twice its mean."""
    job = make_job(tmp_path, splits=rare(), batch_size=8, lr=0.0, epochs=10)
    job.optimizer.register_step_post_hook(lambda *_: [p.data.mul_(1.05) for p in job.model.parameters()])
    _, result = drive(train(job))
    assert result.state is TrialState.INFEASIBLE
    assert "more than 10 times" in result.reason


def test_the_reference_is_the_larger_of_the_untrained_model_and_a_constant(tmp_path):
    balanced = splits_of(torch.arange(64) % 2)
    constant = divergence_limit(make_job(tmp_path, splits=balanced, batch_size=8, make_model=knowing))
    assert (constant.of, constant.factor) == ("the untrained model", 10.0)
    assert constant.reference == pytest.approx(-math.log(RARE * (1 - RARE)) / 2, abs=0.5)
    zero = divergence_limit(make_job(tmp_path, splits=balanced, batch_size=64, make_model=partial(zeroed, knowing())))
    assert zero.reference == pytest.approx(math.log(2))
    single = divergence_limit(make_job(tmp_path, splits=rare(), batch_size=1, make_model=knowing))
    assert (single.of, single.reference) == ("a constant prediction", pytest.approx(-math.log(RARE)))


def zeroed(model):
    model.bias.data.zero_()
    return model


class Noisy(nn.Module):
    """Draws from torch's generator, from addressed dropout, and moves running statistics."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), Dropout(0.5), nn.Linear(8, 2))

    def forward(self, x):
        return self.layers(x)


def test_measuring_leaves_the_trial_as_it_was(tmp_path):
    job = make_job(tmp_path, splits=rare(), make_model=Noisy, epochs=1, log_every=1)
    before, state = weights(job), torch.random.get_rng_state()
    first = divergence_limit(job)
    assert same_weights(before, weights(job))
    assert torch.equal(state, torch.random.get_rng_state())
    assert divergence_limit(job) == first
    again = make_job(tmp_path, splits=rare(), make_model=Noisy, epochs=1, log_every=1)
    assert drive(train(job))[0][-1].steps == drive(train(again))[0][-1].steps


class Shares(nn.Module):
    """A loss that takes probabilities only."""

    def forward(self, outputs, y):
        assert (outputs >= 0).all()
        return nn.functional.nll_loss((outputs + 1e-9).log(), y)


def test_a_loss_that_refuses_constant_outputs_is_measured_by_the_untrained_model(tmp_path):
    job = make_job(tmp_path, splits=rare(), make_model=lambda: nn.Sequential(knowing(), nn.Softmax(1)), loss=Shares())
    assert math.isfinite(divergence_limit(job).reference)


def test_facts_of_a_constant_prediction_are_the_entropy_and_the_largest_class(tmp_path):
    found = constant_facts(make_job(tmp_path, splits=rare(), epochs=1))
    entropy = -(RARE * math.log(RARE) + (1 - RARE) * math.log(1 - RARE))
    assert found["constant.train/loss"] == pytest.approx(entropy, rel=1e-4)
    assert found["constant.valid/loss"] == pytest.approx(entropy, rel=1e-4)
    assert found["constant.valid/acc"] == pytest.approx(1 - RARE)


def test_facts_of_a_constant_prediction_are_of_the_loss_that_is_trained_on(tmp_path):
    smoothed = constant_facts(make_job(tmp_path, splits=rare(), loss=nn.CrossEntropyLoss(label_smoothing=0.2)))
    soft = torch.tensor([0.8 * (1 - RARE) + 0.1, 0.8 * RARE + 0.1])
    least = float(-(soft * soft.log()).sum())  # of any constant; the classes' shares cost more
    assert smoothed["constant.train/loss"] == pytest.approx(least, rel=1e-3)
    y = torch.tensor([[0.0], [1.0], [5.0]])
    job = make_job(tmp_path, splits=splits_of(y, 0), loss=nn.MSELoss(), objective=Objective("valid/loss", "minimize"))
    found = constant_facts(job)
    assert found == {
        "constant.train/loss": pytest.approx(14 / 3),
        "constant.valid/loss": pytest.approx(14 / 3),
    }


def test_trials_of_other_losses_and_of_other_parts_have_facts_of_their_own(tmp_path, monkeypatch):
    job = make_job(tmp_path)
    other = replace(job, splits=replace(job.splits, valid=job.splits.train))
    smooth = replace(job, loss=nn.CrossEntropyLoss(label_smoothing=0.3))
    weighted = [replace(job, loss=nn.CrossEntropyLoss(weight=torch.tensor(w))) for w in ([1.0, 1.0, 1.0], [9.0, 1, 1])]
    found = [constant_facts(each) for each in (job, other, smooth, *weighted)]
    assert len({tuple(facts.items()) for facts in found}) == 4  # equal weights change nothing
    monkeypatch.setattr("hpsearch.trial.reference._mean_loss", lambda *_: 1 / 0)
    assert constant_facts(make_job(tmp_path, splits=job.splits, seed=5)) == found[0]


def test_a_loss_that_refuses_constant_outputs_leaves_their_cost_out(tmp_path):
    job = make_job(tmp_path, splits=rare(), make_model=lambda: nn.Sequential(knowing(), nn.Softmax(1)), loss=Refusing())
    assert set(constant_facts(job)) == {"constant.valid/acc"}


class Refusing(nn.Module):
    def forward(self, outputs, y):
        raise ValueError("no")


@pytest.mark.parametrize(
    ("loss", "of_zeros", "best"),
    [
        (Hinge(0.5), 0.5, 0.25 * 2 * 0.5),  # a lead of the margin for class 0 costs the quarter of class 1 twice it
        (SquaredError(), 0.25, 0.75 * 0.25),
        (SquaredError("sigmoid"), 0.25, 0.75 * 0.25),
        (Perceptron(), 0.0, 0.0),
    ],
)
def test_the_best_constant_of_losses_that_are_not_in_nats(tmp_path, loss, of_zeros, best):
    y = torch.tensor([0, 0, 0, 1] * 10)
    job = make_job(tmp_path, splits=splits_of(y), make_model=partial(nn.Linear, 4, 2), loss=loss)
    assert float(loss(torch.zeros(40, 2), y)) == pytest.approx(of_zeros)
    facts = constant_facts(job)
    assert facts["constant.train/loss"] == pytest.approx(best, abs=1e-6)
    assert facts["constant.valid/loss"] == pytest.approx(best, abs=1e-6)


def test_a_loss_without_a_scale_has_no_limit_and_one_with_a_margin_has_its(tmp_path):
    y = torch.tensor([0, 1] * 20)
    jobs = [
        make_job(tmp_path, splits=splits_of(y), make_model=silent, loss=loss)
        for loss in (Perceptron(), Hinge(0.5), Hinge(0.5, 1, "weston_watkins"))
    ]
    limits = [divergence_limit(job) for job in jobs]
    assert [limit.reference for limit in limits] == pytest.approx([0, 0.5, 0.5])
    wrong = make_job(tmp_path, splits=splits_of(y), make_model=partial(nn.Linear, 4, 2), loss=Perceptron())
    assert divergence_limit(wrong).reference == 0 < Perceptron()(wrong.model(wrong.splits.train.x), y)
    assert limits[0].broken_by(1e9) == "" and limits[0].broken_by(math.nan)
    assert limits[1].broken_by(5.1) and not limits[1].broken_by(4.9)


def silent():
    """A linear model that gives 0."""
    model = nn.Linear(4, 2)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    return model
