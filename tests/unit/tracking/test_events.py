"""Event files as they are read."""

from dataclasses import replace

import pytest

from hpsearch.base.types import TrialState
from hpsearch.tracking.events import (
    fold_trial,
    read_study,
    read_trial,
    read_trials,
    replay_command,
    trial_files,
)
from hpsearch.tracking.lines import last_state
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lr_sweep"


def _path(folder, made):
    return folder / "events" / f"{made.id.stem}.jsonl"


def test_trials_come_in_order_of_their_numbers(folder):
    record = Record(folder)
    for point in (10, 2, 1):
        record.spec(fake.spec(folder, point, 1), fake.TIME)
    record.flush()
    assert [known.id.point for known in read_trials(folder)] == [1, 2, 10]
    assert [path.stem for path in trial_files(folder)] == ["1-1-0", "2-1-0", "10-1-0"]


@pytest.mark.parametrize(
    "stem", [f"{point}-{seed}-0" for point, seed in ((0, 1), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0))]
)
def test_the_last_state_is_that_of_the_whole_file(folder, stem):
    fake.write_study(folder)
    path = folder / "events" / f"{stem}.jsonl"
    assert last_state(path) is read_trial(path).state


SPEC = {"event": "spec", "time": 5.0, "point": 0, "seed": 0, "fold": 0, "params": {}, "overrides": [], "key": "k",
        "folder": "f", "config": {}}  # fmt: skip


def lived(*lines):
    """The fold of a trial with lines such as ``start 10``, ``report 12``, ``COMPLETE 15``."""
    events, epoch = [SPEC], 0
    for what, time in (line.split() for line in lines):
        event = {"event": what, "time": float(time), "attempt": 1, "facts": {}, "artifacts": []}
        if what == "report":
            epoch += 1
            event |= {"epoch": epoch, "step": epoch, "metrics": {}, "steps": []}
        elif what == "start":
            event |= {"epoch": epoch or None}
        else:
            event |= {"event": "state", "state": what}
        events.append(event)
    return fold_trial(events).record()


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ((), 0.0),
        (("start 10", "report 12", "COMPLETE 15"), 5.0),
        (("start 10", "report 12", "PAUSED 13", "start 5000", "report 5002", "COMPLETE 5004"), 7.0),
        (("start 10", "report 12", "PAUSED 13", "PRUNED 9000"), 3.0),  # told at the end that others were better
        (("start 10", "report 12", "start 90000", "COMPLETE 90005"), 7.0),  # its driver was killed
        (("start 10", "report 12", "WAITING 13", "start 20", "FAILED 26"), 9.0),
        (("start 10", "report 12", "report 17"), 7.0),
        (("start 10", "report 12", "PAUSED 13", "start 20", "report 24"), 7.0),
        (("FAILED 26",), 0.0),
    ],
)
def test_a_trial_lasts_as_long_as_its_attempts_ran(lines, seconds):
    assert lived(*lines).ran_sec == seconds


def test_a_study_keeps_its_identity_and_its_first_time(folder):
    record = Record(folder)
    fake.open_study(record)
    record.study("state", fake.TIME + 5, state="PAUSED")
    record.close()
    first = read_study(folder)
    assert first["state"]["state"] == "PAUSED"
    again = Record(folder)
    again.study("open", fake.TIME + 99, command="python -m hpsearch +study=lr_sweep launcher.workers=4")
    again.close()
    study = read_study(folder)
    assert study["uid"] == first["uid"]
    assert study["created"] == fake.TIME
    assert study["question"] == first["question"]
    assert study["command"].endswith("workers=4")
    assert "state" not in study, "a study that is open again has not ended"


def test_two_studies_have_two_identities(tmp_path):
    for name in ("a", "b"):
        Record(tmp_path / name).close()
    assert read_study(tmp_path / "a")["uid"] != read_study(tmp_path / "b")["uid"]


def test_the_replay_command_is_one_shell_line(folder):
    record = Record(folder)
    made = fake.spec(folder, 0, **{"data.root": "/my data/$HOME"})
    record.spec(made, fake.TIME)
    assert replay_command("lr_sweep", record.trial(made.id)) == (
        "python -m hpsearch +study=lr_sweep optimizer.lr=0.1 'data.root=/my data/$HOME' seed=0"
    )


def one(*lines):
    return fold_trial([SPEC, *lines]).record()


def start(time, epoch=None):
    return {"event": "start", "time": time, "attempt": 1, "epoch": epoch, "facts": {}}


def state(time, state, **more):
    fields = {"reason": "", "traceback": "", "attempt": 1, "score": None, "artifacts": [], "facts": {}}
    return {"event": "state", "time": time, "state": state, **fields, **more}


def test_a_trial_that_is_trained_again_has_not_failed_or_ended():
    facts = {"failures": 3, "failed_at": "", "parameters": 7}
    failed = one(start(10), state(14, "FAILED", facts=facts, ended_by={"budget.silent_seconds": 2}))
    assert (failed.ended, failed.facts, failed.ended_by) == (14, facts, {"budget.silent_seconds": 2})
    again = one(start(10), state(14, "FAILED", facts=facts, ended_by={"budget.silent_seconds": 2}),
                {"event": "again", "time": 20})  # fmt: skip
    assert (again.state.value, again.ended, again.facts, again.ended_by) == ("WAITING", None, {"parameters": 7}, {})
    assert (failed.ran_sec, again.ran_sec) == (4, 0)


def test_a_trial_that_other_code_trains_begins_anew(tmp_path):
    record = Record(tmp_path / "s")
    fake.open_study(record)
    record.study("code", fake.TIME, digest="old", modules={"mine": "1"}, targets=["mine.train"])
    made = replace(fake.spec(record.folder, 0), code="old")
    fake.start(record, made)
    fake.report(record, made, 1)
    record.state(made.id, TrialState.FAILED, fake.TIME + 9, reason="KeyError", facts={"failures": 1}, artifacts=["a"])
    before = record.trial(made.id)
    assert before.code == before.facts["code"] == "old" and before.reports and before.state is TrialState.FAILED
    record.again(made.id, fake.TIME + 50, "new")
    record.close()
    after = read_trial(record.folder / "events" / "0-0-0.jsonl")
    assert (after.code, after.state, after.reports, after.facts) == ("new", TrialState.WAITING, (), {"code": "new"})
    assert after.attempts == before.attempts and after.config == before.config and after.started is None
    assert last_state(record.folder / "events" / "0-0-0.jsonl") is TrialState.WAITING
    assert read_study(record.folder)["codes"]["old"]["modules"] == {"mine": "1"}


def test_a_trial_without_code_of_ones_own_has_no_digest(tmp_path):
    record = Record(tmp_path / "s")
    made = fake.spec(record.folder, 0)
    fake.train(record, made)
    known = record.trial(made.id)
    assert known.code == "" and "code" not in known.facts


def test_epochs_that_an_attempt_trains_once_more_are_counted():
    def lines(attempt, epoch, *epochs):
        start = {"event": "start", "time": 0.0, "attempt": attempt, "epoch": epoch, "facts": {}}
        reports = [{"event": "report", "time": 0.0, "epoch": n, "step": n, "metrics": {}, "steps": []} for n in epochs]
        return [start, *reports]

    def repeated(*events):
        return fold_trial(events).facts.get("repeated_epochs")

    first = lines(1, None, 0, 1, 2, 3)
    assert repeated(*first, *lines(2, 3, 4)) is None, "it waited, and lost nothing"
    assert repeated(*first, *lines(2, 1, 2)) == 2
    assert repeated(*first, *lines(2, 1, 2), *lines(3, None, 1)) == 4


@pytest.mark.parametrize(("kept", "path"), [(2, {"fused_widths": "2*4"}), (None, {})], ids=["goes on", "begins anew"])
def test_the_path_of_a_trial_that_paused_is_known_until_it_begins_anew(kept, path):
    start = {"event": "start", "time": 6.0, "attempt": 1, "facts": {"threads": 1}, "epoch": None}
    pause = {"event": "state", "state": "PAUSED", "time": 7.0, "attempt": 1, "facts": {"fused_widths": "2*4"}}
    events = [SPEC, start, pause | {"artifacts": []}, start | {"epoch": kept, "attempt": 2}]
    assert fold_trial(events).record().facts == {"threads": 1, **path}
