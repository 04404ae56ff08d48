"""Updates that the device repeats are those of the group, on a device that records as a CUDA graph does."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Wait
from hpsearch.nn.stacked import Stacked
from hpsearch.optim import rules
from hpsearch.trial.fused import graphed
from hpsearch.trial.fused.graphed import GraphedUpdate, update_of
from hpsearch.trial.fused.step import Update
from hpsearch.trial.loop import train
from hpsearch.trial.together import engine_of
from tests.support.fused import together
from tests.support.jobs import drive, make_job, make_own_spec, weights
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
    # 18 steps: of the 15 whole batches 3 warm up, of the 3 smaller ones 1
    assert device.captures_made == 5  # backward passes, updates that are measured, and of the larger one others
    assert device.replays.count(0) == 12


@pytest.mark.parametrize("error", [MemoryError("none left"), RuntimeError("not permitted when capturing")])
def test_without_graphs_the_group_goes_on(tmp_path, error):
    device = Recording()
    device.fails = error
    jobs, plain = make_members(tmp_path / "graph", {}), make_members(tmp_path / "plain", {})
    with pytest.warns(UserWarning, match=f"no graph of a step: {error}"):
        train_group(jobs, 3, partial(GraphedUpdate, device=device))
    train_group(plain, 3)
    assert device.captures_made and not device.replays
    assert all(torch.equal(each, values(plain[1])[name]) for name, each in values(jobs[1]).items())


def test_who_asks_for_graphs_is_told_why_there_are_none(tmp_path):
    device = Recording()
    device.fails = RuntimeError("not permitted when capturing")
    with pytest.raises(RuntimeError, match="capturing"):
        train_group(make_members(tmp_path, {"graph": True}), 3, partial(GraphedUpdate, device=device))


def test_a_lone_trial_is_trained_by_graphs_where_it_is_told_to(tmp_path, monkeypatch):
    device = Recording()
    monkeypatch.setattr(graphed, "accelerator", lambda _: device)
    (job,), (plain,) = (make_members(tmp_path / each, {"graph": each == "on"}, count=1) for each in ("on", "off"))
    spec = replace(make_own_spec(str(tmp_path / "trials" / "0")), width=1)
    messages, result = drive(train(job, engine_of(spec, job)))
    _, expected = drive(train(plain, engine_of(spec, plain)))
    assert device.replays and not any(isinstance(each, Wait) for each in messages)
    assert result.facts["fused_widths"] == "3*1" and "fused_widths" not in expected.facts
    for name, each in weights(plain).items():
        torch.testing.assert_close(weights(job)[name], each)


def test_graphs_of_what_cannot_be_repeated_are_refused(tmp_path):
    (job,) = make_members(tmp_path, {"graph": True, "compile": True}, count=1)
    with pytest.raises(
        ConfigError, match=r"trainer\.graph = True: the steps of .* cannot be repeated: trainer\.compile$"
    ):
        engine_of(make_own_spec(), job)


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
