"""Updates that the device repeats are those of the group, on a device that records as a CUDA graph does."""

from functools import partial

import pytest
import torch

from hpsearch.nn.stacked import Stacked
from hpsearch.optim import rules
from hpsearch.trial.fused import graphed
from hpsearch.trial.fused.graphed import GraphedUpdate, update_of
from hpsearch.trial.fused.step import Update
from tests.support.fused import together
from tests.support.jobs import make_job
from tests.support.recording import Recording
from tests.support.steps import KINDS, make_cases, make_members, train_group, values

CASES = make_cases()


def compare(tmp_path, case):
    """Train a group both ways; return the device that recorded."""
    device = Recording()
    plain, repeated = make_members(tmp_path / "plain", case), make_members(tmp_path / "graph", case)
    expected = train_group(plain, 3)
    found = train_group(repeated, 3, partial(GraphedUpdate, device=device))
    for ours, theirs in zip(repeated, plain, strict=True):
        wanted, got = values(theirs), values(ours)
        assert got.keys() == wanted.keys()
        assert [name for name, each in wanted.items() if not torch.equal(got[name], each)] == []
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.losses == theirs.losses
        assert torch.equal(ours.norms, theirs.norms) and torch.equal(ours.penalties, theirs.penalties)
    assert len(device.replays) > device.captures_made
    return device


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_is_repeated(tmp_path, kind):
    compare(tmp_path, KINDS[kind])


def test_no_rule_is_left_out(tmp_path):
    kinds = {type(make_job(tmp_path, **case).optimizer) for case in KINDS.values()}
    assert {kind for kind in rules._UPDATES if kind is not torch.optim.SGD} <= kinds


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_repeated(tmp_path, case):
    compare(tmp_path, CASES[case])


def test_each_size_of_batch_is_captured_once_whatever_the_rates(tmp_path):
    device = compare(tmp_path, CASES["momentum of a schedule"])
    # 18 steps: of the 15 whole batches 3 warm up, of the 3 smaller ones all do
    assert device.captures_made == 3  # backward pass, update, update that is measured
    assert device.replays.count(0) == 12


def test_without_memory_for_graphs_the_group_goes_on(tmp_path):
    device = Recording()
    device.fails = MemoryError("none left")
    jobs, plain = make_members(tmp_path / "graph", {}), make_members(tmp_path / "plain", {})
    train_group(jobs, 3, partial(GraphedUpdate, device=device))
    train_group(plain, 3)
    assert device.captures_made and not device.replays
    assert all(torch.equal(each, values(plain[1])[name]) for name, each in values(jobs[1]).items())


def test_another_error_of_a_capture_is_raised(tmp_path):
    device = Recording()
    device.fails = RuntimeError("not permitted when stream is capturing")
    with pytest.raises(RuntimeError, match="capturing"):
        train_group(make_members(tmp_path, {}), 3, partial(GraphedUpdate, device=device))


def test_groups_use_graphs_where_the_device_has_them_and_the_trainer_lets_them(tmp_path, monkeypatch):
    jobs, off = make_members(tmp_path, {}), make_members(tmp_path, {"graph": False})

    def kind(members):
        return type(update_of(members, Stacked([job.model for job in members])))

    assert kind(jobs) is Update
    monkeypatch.setattr(graphed, "accelerator", lambda _: Recording())
    assert (kind(jobs), kind(off)) == (GraphedUpdate, Update)


def test_whole_trials_are_trained_by_graphs(tmp_path, monkeypatch):
    device = Recording()
    expected = together(make_members(tmp_path / "plain", {}))
    monkeypatch.setattr(graphed, "accelerator", lambda _: device)
    found = together(make_members(tmp_path / "graph", {}))
    assert device.replays
    for ours, theirs in zip(found, expected, strict=True):
        assert all(torch.equal(ours.weights[name], each) for name, each in theirs.weights.items())
        assert [r.metrics["valid/loss"] for r in ours.reports] == [r.metrics["valid/loss"] for r in theirs.reports]
