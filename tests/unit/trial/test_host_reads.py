"""Steps read nothing back to the host: on a device without values, where that raises, both loops take them."""

import pytest
import torch

from tests.support.steps import KINDS, make_cases, make_members, on_device, plain_steps, train_group

CASES = {name: case for name, case in make_cases().items() if case.get("precision") != "bf16"}
"""Autocast knows no such device; `tests/unit/nn/test_autocast.py` checks precisions on the processor."""


@pytest.mark.parametrize("case", [*(each for each in CASES if each != "class weights"), *KINDS])
def test_groups_read_nothing_back(tmp_path, case):
    """Weights of classes are compared once, when a group is made."""
    jobs = make_members(tmp_path, on_device((CASES | KINDS)[case], "meta"))
    train_group(jobs, 1, read=False)
    assert all(weight.is_meta for job in jobs for weight in job.model.parameters())
    assert all(each.is_meta for job in jobs for state in job.optimizer.state.values() for each in state.values())


@pytest.mark.parametrize("case", [*CASES, *KINDS])
def test_the_plain_loop_reads_nothing_back(tmp_path, case):
    (job,) = make_members(tmp_path, on_device((CASES | KINDS)[case], "meta"), count=1)
    steps = plain_steps(job)
    assert len(steps) == job.steps_per_epoch and all(step.loss.is_meta for step in steps)


def test_a_host_read_would_be_seen(tmp_path):
    (job,) = make_members(tmp_path, on_device({}, "meta"), count=1)
    (weight, *_) = job.model.parameters()
    with pytest.raises((RuntimeError, NotImplementedError)):
        weight.sum().item()
    with pytest.raises((RuntimeError, NotImplementedError)):
        bool(torch.isfinite(weight).all())
