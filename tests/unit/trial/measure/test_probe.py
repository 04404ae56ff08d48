import math

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.trial.loop import train
from hpsearch.trial.measure.probe import fixed_rate_probe, log_spaced, range_test
from hpsearch.trial.reference import divergence_limit
from hpsearch.trial.updates import take_steps
from tests.support.jobs import curve, drive, make_job, same_weights, weights

RATES = (1e-3, 1e-2, 1e-1)


def never(losses):
    return False


def fresh_loss(folder, rate, steps, **options):
    losses = take_steps(make_job(folder, **options), [rate] * steps, never)
    return sum(losses[-max(1, steps // 10) :]) / max(1, steps // 10)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"clip_norm": 0.1}], ids=["plain", "dropout", "clipped"])
def test_steps_at_the_configured_rate_are_those_of_the_training_loop(tmp_path, options):
    job, again = (make_job(tmp_path, lr=0.05, log_every=1, epochs=2, **options) for _ in range(2))
    messages, _ = drive(train(job))
    expected = [loss for _, _, _, steps in curve(messages) for _, loss in steps]
    assert take_steps(again, [0.05] * 12, never) == expected
    assert same_weights(weights(job), weights(again))


def test_steps_end_when_told_and_within_an_epoch(tmp_path):
    assert len(take_steps(make_job(tmp_path), [0.1] * 8, never)) == 8
    assert len(take_steps(make_job(tmp_path), [0.1] * 8, lambda losses: len(losses) == 3)) == 3


def test_each_rate_starts_from_the_same_weights_and_an_empty_optimizer(tmp_path):
    found = fixed_rate_probe(make_job(tmp_path), RATES, 20)
    assert found.rates == RATES
    assert list(found.losses) == pytest.approx([fresh_loss(tmp_path, rate, 20) for rate in RATES], rel=1e-6)
    assert found.diverged == (0, 0, 0)
    assert found.passes == 4 * 20 / 6


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_the_trial_is_left_as_it_was(tmp_path, optimizer):
    job = make_job(tmp_path, make_optimizer=lambda parameters: optimizer(parameters, lr=0.1))
    before, state = weights(job), job.optimizer.state_dict()
    first = fixed_rate_probe(job, RATES, 7)
    assert same_weights(before, weights(job))
    assert job.optimizer.state_dict() == state
    assert fixed_rate_probe(job, RATES, 7) == first
    assert fixed_rate_probe(job, RATES[1:], 7).losses == first.losses[1:]


def test_the_untrained_loss_is_that_of_the_last_batches_without_updates(tmp_path):
    assert fixed_rate_probe(make_job(tmp_path), RATES, 20).untrained == pytest.approx(fresh_loss(tmp_path, 0.0, 20))


def test_diverged_rates_are_infinite_and_those_above_two_of_them_are_left_out(tmp_path):
    found = fixed_rate_probe(make_job(tmp_path, momentum=0.0), (0.1, 1e3, 1e4, 1e5), 20)
    assert [math.isinf(loss) for loss in found.losses] == [False, True, True, True]
    assert found.diverged[0] == 0
    assert 0 < found.diverged[2] <= found.diverged[1] <= 20
    assert found.diverged[3] is None


def test_a_model_without_trained_parameters_has_no_learning_rate(tmp_path):
    job = make_job(tmp_path)
    job.model.requires_grad_(False)
    with pytest.raises(ConfigError, match="no parameter is trained"):
        fixed_rate_probe(job, RATES)


def test_a_range_test_grows_by_one_factor_and_ends_above_four_times_what_knowing_nothing_costs(tmp_path):
    found = range_test(make_job(tmp_path, momentum=0.0), 1e-4, 1e5, 60)
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert ratios == pytest.approx([10 ** (9 / 59)] * len(ratios))
    assert found.rates[0] == 1e-4
    assert len(found.losses) == len(found.rates) < 60
    *before, last = found.losses
    reference = divergence_limit(make_job(tmp_path)).reference
    assert not last <= 4 * reference
    assert max(before) <= 4 * reference


def test_rates_are_evenly_spaced_in_their_logarithm():
    assert log_spaced(1e-3, 10, 5) == pytest.approx([1e-3, 1e-2, 1e-1, 1, 10])
