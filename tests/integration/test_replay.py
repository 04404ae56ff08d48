"""A trial is trained again by what its own record says, whatever the present configuration says of other trials."""

import json

import pytest

from hpsearch import Silent, replay, run_trial
from hpsearch.cli import run

HOME = ("launcher=inline", "tracker=none")
SMALL = ("trainer.epochs=2", "trainer.device=cpu", *HOME)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(path, change):
    """Change the lines of an event file, which has no seals then."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        event.pop("seal", None)
        change(event)
    path.write_text("".join(f"{json.dumps(event, separators=(',', ':'))}\n" for event in events))


def test_a_trial_whose_objective_is_none_of_the_default_is_trained_again():
    trained = run_trial(
        ["data=diabetes", "model=linear", "loss=mse", "objective=valid_loss", *SMALL], observer=Silent()
    )
    again = replay(trained.run, overrides=HOME, observer=Silent())
    assert again.same and again.first == "" and again.reasons == () and len(again.again) == 3


def test_the_first_step_that_differs_and_the_reason_are_printed_and_the_exit_code_is_1(folder, capsys):
    run_trial(["model=softmax", "data.train_size=64", "data.batch_size=16", *SMALL], observer=Silent())
    events = folder / "studies" / "single" / "events"
    assert run(["replay", "single/0/0", "--check", *HOME]) == 0
    assert "the same curve, bit for bit" in capsys.readouterr().out

    def other_step(event):
        if event["event"] == "report" and event["epoch"] == 2:
            event["steps"] = [[step, loss * (2 if step == 7 else 1)] for step, loss in event["steps"]]
            event["metrics"]["valid/loss"] = 9.0

    edit(events / "0-0-0.jsonl", other_step)
    assert run(["replay", "single/0/0", "--check", *HOME]) == 1
    said = capsys.readouterr().out
    assert "first     step 7 (epoch 2): train/loss" in said and "until step 6 are the same" in said
    assert "why       none on record (the same: hpsearch's own code, digest of the data, torch, numpy, python" in said
    assert "not known" not in said

    edit(events / "0-0-0.jsonl", lambda event: event.get("facts", {}).update(threads=99, torch="1.0"))
    edit(events / "study.jsonl", lambda event: event.get("environment", {}).update(numpy="1.0", code="older"))
    assert run(["replay", "single/0/0", "--check", *HOME]) == 1
    said = capsys.readouterr().out
    assert "why       hpsearch's own code: older then," in said
    assert said.index("torch: 1.0 then") < said.index("numpy: 1.0 then") < said.index("threads: 99 then")
