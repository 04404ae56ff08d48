"""How long a trial trains, and where."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.trial.job import Trainer
from tests.support.jobs import make_job


@pytest.mark.parametrize(("steps", "whole", "epochs"), [(None, 18, 3), (7, 7, 2), (6, 6, 1), (1, 1, 1)])
def test_updates_and_epochs_of_a_trial(tmp_path, steps, whole, epochs):
    job = make_job(tmp_path, steps=steps)  # 90 samples in batches of 16: six updates an epoch
    assert job.steps_per_epoch == 6 and (job.steps, job.epochs) == (whole, epochs)


def test_a_model_without_a_trained_parameter_has_no_epoch(tmp_path):
    job = make_job(tmp_path)
    job.model.requires_grad_(False)
    assert job.epochs == 0 and job.steps == 18


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", 0])
def test_a_device_there_is_not_is_refused(device):
    with pytest.raises(ConfigError, match=r"trainer\.device = .*: must be auto, cpu, mps, cuda or cuda:N"):
        Trainer(epochs=1, device=device)


def test_views_there_are_not_are_refused():
    with pytest.raises(ConfigError, match=r"trainer\.eval_views = 'flop': .* did you mean 'flip'"):
        Trainer(epochs=1, eval_views="flop")


def test_a_processor_repeats_no_steps_by_itself():
    with pytest.raises(
        ConfigError, match=r"^trainer\.graph = True: the device cpu repeats no steps; use auto or false$"
    ):
        Trainer(epochs=1, device="cpu", graph=True).find_device()
    assert str(Trainer(epochs=1, device="cpu").find_device()) == "cpu"
