"""The order of samples, the updates, and what they leave behind."""

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.trial.updates import epoch_order, prepare_model, rehearse, take_steps, trained_parameters, update_weights
from tests.support.jobs import TRAIN, make_job, same_weights, weights


def test_the_order_is_a_function_of_seed_and_epoch(tmp_path):
    job, other = make_job(tmp_path), make_job(tmp_path, seed=2)
    first = epoch_order(job, 1)
    assert sorted(first.tolist()) == list(range(TRAIN))
    assert torch.equal(first, epoch_order(job, 1))
    assert not torch.equal(first, epoch_order(job, 2)) and not torch.equal(first, epoch_order(other, 1))
    assert epoch_order(make_job(tmp_path, more={"shuffle": False}), 1).tolist() == list(range(TRAIN))


def test_a_rehearsal_returns_the_first_loss_and_changes_no_weight(tmp_path):
    job = make_job(tmp_path)
    before = weights(job)
    loss = rehearse(job)
    assert same_weights(before, weights(job))
    assert take_steps(make_job(tmp_path), [0.1], lambda _: True) == [pytest.approx(loss)]


def test_steps_end_when_they_are_told_to_and_a_rate_of_zero_changes_nothing(tmp_path):
    job = make_job(tmp_path, momentum=0.0)
    before = weights(job)
    assert len(take_steps(job, [0.0] * 9, lambda losses: len(losses) == 8)) == 8
    assert same_weights(before, weights(job))
    take_steps(job, [0.1], lambda _: False)
    assert not same_weights(before, weights(job))


def test_nothing_to_train_is_refused(tmp_path):
    job = make_job(tmp_path)
    job.model.requires_grad_(False)
    with pytest.raises(ConfigError, match="no parameter is trained"):
        take_steps(job, [0.1], lambda _: False)


@pytest.mark.parametrize(("clip", "most"), [({"clip_norm": 0.5}, 0.5), ({"clip_value": 0.1}, None)])
def test_gradients_are_clipped_before_the_update(tmp_path, clip, most):
    job = make_job(tmp_path, momentum=0.0, lr=1.0, **clip)
    prepare_model(job)
    named = trained_parameters(job)
    before = [parameter.detach().clone() for _, parameter in named]
    for _, parameter in named:
        parameter.grad = torch.full_like(parameter, 3.0)
    update_weights(job, named, [parameter for _, parameter in named])
    moved = torch.cat([(old - new.detach()).flatten() for old, (_, new) in zip(before, named, strict=True)])
    assert moved.norm() == pytest.approx(most, rel=1e-4) if most else bool((moved - 0.1).abs().max() < 1e-6)
