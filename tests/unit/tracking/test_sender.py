"""Sending a study to a real SQLite store."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hpsearch.base.errors import StorageError
from hpsearch.base.types import Report, Started, TrialId, TrialState
from hpsearch.tracking import names, runs
from hpsearch.tracking.colours import scale
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.identity import lineage
from hpsearch.tracking.mlflow import MlflowTracker, sync
from hpsearch.tracking.mlflow_internals import TABLE, TAG
from hpsearch.tracking.query import table_from_mlflow
from hpsearch.tracking.record import Record
from hpsearch.tracking.runs import COLOUR, SUPERSEDED, TRIAL
from hpsearch.tracking.sent import Sent, sent_file, sent_runs
from hpsearch.tracking.store import search
from hpsearch.tracking.theirs import WRITTEN
from hpsearch.tracking.trial_runs import TrialRuns
from tests.support import fake_study as fake
from tests.support.fake_study import Place


class Killed(BaseException):
    """A kill: nothing of this project catches it."""


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_every_trial_is_a_child_with_all_that_is_known(place):
    fake.write_study(place.folder)
    weights = place.folder / "trials" / "1-0-0"
    weights.mkdir(parents=True)
    (weights / "note.txt").write_text("small")
    (weights / "best.safetensors").write_bytes(b"\0" * 5000)
    record = Record(place.folder)
    fake.finish(record, fake.spec(place.folder, 1), artifacts=["note.txt", "best.safetensors", "gone.txt"])
    record.close()
    place.send()
    place.assert_complete()
    found = place.runs()
    parent, child = found["study"], found["1-0-0"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.info.run_name == "1/0 lr=0.628"
    assert float(child.data.params["optimizer.lr"]) == 0.1 * math.pi * 2
    assert child.data.params["data.batch_size"] == "64"
    tags = child.data.tags
    assert (tags["point"], tags["seed"], tags["fold"], tags["attempts"]) == ("1", "0", "0", "1")
    assert tags["replay"] == f"python -m hpsearch +study=lr_sweep optimizer.lr={0.1 * 3.141592653589793 * 2} seed=0"
    assert tags["mlflow.source.git.commit"] == "c0ffee"
    assert tags["git.dirty"] == "true"
    assert tags["env.host"] == "laptop"
    assert tags["mlflow.user"]
    assert (tags["hpsearch.trial"], tags["hpsearch.study"]) == ("1-0-0", "lr_sweep")
    assert tags[runs.UID] == parent.data.tags[runs.UID]
    assert child.inputs.dataset_inputs[0].dataset.digest == "d1gest"
    kept = {file.path for file in place.client.list_artifacts(child.info.run_id)}
    assert kept == {"config.yaml", "note.txt"}, "a file over the limit stays where it is"
    config = yaml.safe_load(Path(place.client.download_artifacts(child.info.run_id, "config.yaml")).read_text())
    assert config == fake.spec(place.folder, 1).config
    assert child.data.metrics["valid/acc"] == read_trials(place.folder)[2].reports[-1].metrics["valid/acc"]
    assert child.info.start_time == (fake.TIME + 10) * 1000
    assert child.info.end_time == (fake.TIME + 19.5) * 1000


def test_the_parent_tells_the_study(place):
    record = fake.write_study(place.folder)
    (place.folder / "report.html").write_text("<html>")
    record.study("artifact", fake.TIME, path="report.html")
    record.study("artifact", fake.TIME, path="gone.csv")
    (place.folder / "trials" / "1-1-0").mkdir(parents=True)
    (place.folder / "trials" / "1-1-0" / "best.safetensors").write_bytes(b"\0" * 5000)
    fake.finish(record, fake.spec(place.folder, 1, 1), artifacts=["note.txt", "best.safetensors"])
    record.close()
    place.send()
    parent = place.runs()["study"]
    assert parent.info.run_name == "lr_sweep"
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best/mean"] == 0.901
    assert parent.data.tags["best.optimizer.lr"] == "0.62"
    assert parent.data.tags["sampler"] == "Grid"
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("**Which learning rates train this model?**\n\nThe best learning rate is 0.62 (n = 2).")
    assert "viewStateShareKey" in note
    loads = place.client.get_metric_history(parent.info.run_id, "system/cpu_percent")
    assert [(load.value, load.step) for load in loads] == [(55.0, 0), (65.0, 1)]
    kept = {file.path for file in place.client.list_artifacts(parent.info.run_id)}
    assert kept == {"best", "config.yaml", "report.html", "study.json"}
    assert [file.path for file in place.client.list_artifacts(parent.info.run_id, "best")] == ["best/best.safetensors"]


def test_states_become_statuses(place):
    fake.write_study(place.folder)
    place.send()
    found = {name: (run.info.status, run.data.tags["state"]) for name, run in place.runs().items()}
    assert found["0-1-0"] == ("FINISHED", "COMPLETE")
    assert found["3-0-0"] == ("FINISHED", "INFEASIBLE")
    assert found["4-0-0"] == ("FAILED", "FAILED")
    assert found["5-0-0"] == ("FINISHED", "COMPLETE")
    assert found["6-0-0"] == ("SCHEDULED", "PAUSED")
    assert "7-0-0" not in found, "a trial that has not started has no run"
    failed = place.runs()["4-0-0"]
    assert Path(place.client.download_artifacts(failed.info.run_id, "traceback.txt")).read_text().endswith("no")
    assert failed.data.tags["reason"] == "ZeroDivisionError: no"


@pytest.mark.parametrize("lines", [1, 2])
def test_a_trial_that_lost_its_last_lines_has_its_end_and_its_score_once(place, lines):
    made, end = fake.spec(place.folder, 0), ((30, {"valid/acc": 0.8}), (60, {"valid/acc": 0.9}))
    record = Record(place.folder)
    fake.open_study(record)
    fake.start(record, made)
    fake.report(record, made, 3, end=end)
    fake.finish(record, made)
    record.close()
    place.send()
    path = place.folder / "events" / "0-0-0.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-lines]))
    again = Record(place.folder)
    again.spec(made, fake.TIME + 50)
    again.message(made.id, Started(2, {}, fake.TIME + 50))
    again.message(made.id, Report(3, 60, {"valid/acc": 0.9}, (), fake.TIME + 60, end=end))
    again.state(made.id, TrialState.COMPLETE, fake.TIME + 61, score=0.9)
    again.close()
    place.send()
    run = place.runs()["0-0-0"]
    assert run.data.tags["state"] == "COMPLETE"
    seen = {key: place.client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    assert [(each.step, each.value) for each in seen[f"{names.END}valid/acc"]] == [(30, 0.8), (60, 0.9)]
    assert [each.value for each in seen[names.SCORE]] == [0.9]


def test_what_is_not_finite_is_left_out_and_noted(place):
    fake.write_study(place.folder)
    place.send()
    diverged = place.runs()["3-0-0"]
    history = place.client.get_metric_history(diverged.info.run_id, "train/loss")
    assert [metric.step for metric in history] == [0]
    assert '"train/loss": {"1": "nan", "2": "inf"}' in diverged.data.tags["nonfinite"]


def test_a_study_that_goes_on_only_adds(place):
    record = Record(place.folder)
    fake.open_study(record)
    made = fake.spec(place.folder, 0)
    fake.start(record, made)
    for epoch in range(2):
        fake.report(record, made, epoch)
    record.flush()
    place.send()
    first = place.runs()
    assert first["0-0-0"].info.status == "RUNNING"
    resumed = Record(place.folder)
    fake.open_study(resumed)
    fake.start(resumed, fake.spec(place.folder, 0, attempt=2), epoch=0)
    for epoch in range(1, 4):
        fake.report(resumed, made, epoch)
    fake.finish(resumed, made)
    fake.train(resumed, fake.spec(place.folder, 1))
    resumed.close()
    place.send()
    place.assert_complete()
    second = place.runs()
    assert second["0-0-0"].info.run_id == first["0-0-0"].info.run_id
    assert second["study"].info.run_id == first["study"].info.run_id
    assert second["0-0-0"].data.tags["attempts"] == "2"
    assert second["0-0-0"].info.status == "FINISHED"


def test_tick_by_tick_gives_what_all_at_once_gives(place, tmp_path):
    sender = place.sender()
    fake.write_study(place.folder, points=0).close()
    lines = {path: path.read_bytes().splitlines(keepends=True) for path in (place.folder / "events").iterdir()}
    for path in lines:
        path.write_bytes(b"")
    for index in range(max(map(len, lines.values()))):
        for path, content in lines.items():
            with path.open("ab") as file:
                file.writelines(content[index : index + 1])
        sender.send(sender.pending())
    place.assert_complete()
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    other.folder = place.folder
    other.send()
    for name, run in other.runs().items():
        ours = place.runs()[name]
        assert ours.data.metrics == run.data.metrics
        assert ours.data.params == run.data.params
        drop = ("mlflow.parentRunId", "mlflow.note.content", COLOUR, f"{WRITTEN}.0")
        assert {k: v for k, v in ours.data.tags.items() if k not in drop} == {
            k: v for k, v in run.data.tags.items() if k not in drop
        }


@pytest.mark.parametrize("moment", [1, 11])
def test_a_kill_before_a_position_is_saved_doubles_nothing(place, monkeypatch, moment):
    fake.write_study(place.folder)
    saves = iter(range(moment))
    real = Sent.save

    def save(self, name, trail):
        if next(saves, None) is None:
            raise Killed
        real(self, name, trail)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Sent, "save", save)
        place.send()
    place.send()
    place.assert_complete()


@pytest.mark.parametrize("moment", [2])
def test_a_kill_right_after_a_run_is_created_makes_no_second_one(place, monkeypatch, moment):
    fake.write_study(place.folder)
    creations = iter(range(moment))
    real = TrialRuns._create

    def create(self, name, record, tags):
        run = real(self, name, record, tags)
        if next(creations, None) is None:
            raise Killed
        return run

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TrialRuns, "_create", create)
        place.send()
    place.send()
    place.assert_complete()


def test_without_its_notes_the_sender_finds_the_runs_again(place):
    fake.write_study(place.folder)
    place.send()
    before = {name: run.info.run_id for name, run in place.runs().items()}
    sent_file(place.folder, place.uri).unlink()
    place.send()
    place.assert_complete()
    assert {name: run.info.run_id for name, run in place.runs().items()} == before


def test_an_emptied_store_is_filled_again(place, tmp_path):
    fake.write_study(place.folder)
    place.send()
    record = Record(place.folder)
    record.study("best", fake.TIME, point=0, params={}, mean=1.0, sd=0.0, n=1)
    record.close()
    (tmp_path / "again").mkdir()
    empty = Place(tmp_path / "again")
    empty.folder = place.folder
    sent_file(place.folder, place.uri).rename(sent_file(place.folder, empty.uri))
    sender = empty.sender()
    sender.send(sender.pending())
    sender.send(sender.pending())
    empty.assert_complete()


def test_a_power_cut_of_the_record_sends_no_step_twice(place):
    record = Record(place.folder)
    fake.open_study(record)
    made = fake.spec(place.folder, 0)
    fake.start(record, made)
    for epoch in range(3):
        fake.report(record, made, epoch)
    record.flush()
    place.send()
    path = place.folder / "events" / "0-0-0.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    resumed = Record(place.folder)
    for epoch in range(1, 4):
        fake.report(resumed, made, epoch, loss=5.0)
    resumed.close()
    place.send()
    place.assert_complete()
    history = place.client.get_metric_history(place.runs()["0-0-0"].info.run_id, "train/loss")
    assert [metric.step for metric in history] == [0, 1, 2, 3]


def test_a_run_that_the_user_deleted_stays_deleted(place):
    record = fake.write_study(place.folder)
    place.send()
    gone = place.runs()["6-0-0"].info.run_id
    place.client.delete_run(gone)
    fake.report(record, fake.spec(place.folder, 6), 1)
    fake.train(record, fake.spec(place.folder, 9))
    record.close()
    sender = place.sender()
    sender.send(sender.pending())
    assert "deleted" in (sender.problem or "")
    assert "9-0-0" in place.runs()
    assert place.client.get_run(gone).info.lifecycle_stage == "deleted"
    assert sender.pending() == set()


def test_a_deleted_parent_and_experiment_come_back(place):
    record = fake.write_study(place.folder)
    place.send()
    place.client.delete_run(place.runs()["study"].info.run_id)
    place.client.delete_experiment(place.experiment)
    record.study("best", fake.TIME, point=2, params={}, mean=0.95, sd=0.0, n=1)
    record.close()
    place.send()
    assert place.runs()["study"].data.metrics["best/mean"] == 0.95


def test_damaged_notes_of_what_is_sent_are_made_again(place):
    fake.write_study(place.folder).close()
    place.send()
    known = sent_runs(place.folder)
    notes = sent_file(place.folder, place.uri)
    lines = notes.read_bytes().splitlines(keepends=True)
    notes.write_bytes(b"".join([lines[0], b"\0" * len(lines[1]), *lines[2:]]))
    assert sent_runs(place.folder) == {}
    place.send()
    place.assert_complete()
    assert sent_runs(place.folder) == known


def test_a_study_started_again_supersedes_the_old_one(place):
    fake.write_study(place.folder).close()
    place.send()
    old = {run.info.run_id for run in place.runs().values()}
    superseded = lineage(place.folder)
    place.folder.rename(place.folder.with_name("lr_sweep.old"))
    record = Record(place.folder)
    fake.open_study(record, fake.TIME + 1000, restart=True, supersedes=superseded)
    fake.open_study(record, fake.TIME + 2000)
    fake.train(record, fake.spec(place.folder, 0))
    record.close()
    place.send()
    found = search(place.client, place.experiment)
    assert {run.info.run_id for run in found if SUPERSEDED in run.data.tags} == old
    assert len(found) == len(old) + 2


def test_a_study_that_was_moved_aside_and_is_sent_late_supersedes_no_later_one(place):
    record = Record(place.folder.with_name("lr_sweep.old"))
    fake.open_study(record, fake.TIME - 1000, name="lr_sweep", restart=True)
    record.close()
    fake.write_study(place.folder).close()
    place.send()
    sync(record.folder, place.uri, str(place.artifacts))
    assert not [run for run in search(place.client, place.experiment) if SUPERSEDED in run.data.tags]


def test_a_doubled_run_is_withdrawn(place):
    """A server that hung may create a run after the sender gave up on the call."""
    record = fake.write_study(place.folder)
    place.send()
    known = place.runs()["0-0-0"]
    keep = {key: value for key, value in known.data.tags.items() if key.startswith("hpsearch.") and key != runs.RECORD}
    double = place.client.create_run(place.experiment, tags=keep).info.run_id
    record.study("best", fake.TIME, point=2, params={}, mean=0.95, sd=0.0, n=1)
    record.close()
    place.send()
    withdrawn = place.client.get_run(double)
    assert (withdrawn.info.status, SUPERSEDED in withdrawn.data.tags) == ("KILLED", True)
    assert SUPERSEDED not in place.client.get_run(known.info.run_id).data.tags


def test_runs_are_coloured_by_the_main_hyperparameter(place):
    record = Record(place.folder)
    fake.open_study(record)
    for point, lr in enumerate((1e-3, 1e-1, 10.0)):
        fake.train(record, fake.spec(place.folder, point, **{"optimizer.lr": lr}))
    record.study("state", fake.TIME, state="COMPLETE")
    record.flush()
    sender = place.sender()
    for name in ("study", "0-0-0", "1-0-0", "2-0-0"):
        sender.send([name])
    found = place.runs()
    assert [found[f"{point}-0-0"].data.tags[COLOUR] for point in range(3)] == [scale(0), scale(0.5), scale(1)]


def test_trials_outside_a_study_have_no_parent(place):
    place.folder = place.folder.with_name("single")
    record = Record(place.folder)
    objective = {"_target_": "hpsearch.base.types.Objective", "metric": "valid/acc", "direction": "maximize"}
    config = {"objective": objective}
    fake.open_study(record, name="single", question=None, objective=None, config=config)
    fake.train(record, fake.spec(place.folder, 0))
    record.close()
    place.send()
    experiment = place.client.get_experiment_by_name("single").experiment_id
    found = search(place.client, experiment)
    assert [run.data.tags[TRIAL] for run in found] == ["0-0-0"]
    assert "mlflow.parentRunId" not in found[0].data.tags
    view = json.loads(place.client.get_experiment(experiment).tags[TAG + TABLE])
    assert (view["searchFilter"], view["orderByKey"]) == ("", "metrics.`valid/acc`")
    assert place.sender().pending() == set()


def test_a_trial_that_goes_on_from_another_names_its_run(place):
    record = Record(place.folder)
    fake.open_study(record)
    fake.train(record, fake.spec(place.folder, 0))
    for point, origin in ((1, "lr_sweep/0/0"), (2, "nothing/0/0")):
        made = fake.spec(place.folder, point)
        record.spec(made, fake.TIME)
        record.message(made.id, Started(0, {"continued": origin}, fake.TIME))
    record.flush()
    place.send()
    single = Place.__new__(Place)
    single.__dict__ |= {**place.__dict__, "folder": place.folder.with_name("single")}
    other = Record(single.folder)
    fake.open_study(other, name="single")
    made = fake.spec(single.folder, 0)
    other.spec(made, fake.TIME)
    other.message(made.id, Started(0, {"continued": "lr_sweep/0/0"}, fake.TIME))
    other.flush()
    single.send()
    found = place.runs()
    origin = found["0-0-0"].info.run_id
    assert found["1-0-0"].data.tags[runs.CONTINUED_RUN] == origin and found["1-0-0"].data.tags["continued"]
    assert runs.CONTINUED_RUN not in found["2-0-0"].data.tags
    experiment = place.client.get_experiment_by_name("single").experiment_id
    (one,) = (run for run in search(place.client, experiment) if TRIAL in run.data.tags)
    assert one.data.tags[runs.CONTINUED_RUN] == origin


def test_a_command_too_long_for_a_tag_is_whole_in_an_artifact(place):
    record = Record(place.folder)
    fake.open_study(record)
    record.spec(replace(fake.spec(place.folder, 0), overrides=(f"args.text={'a b' * 5000}",)), fake.TIME)
    record.message(TrialId(0, 0), Started(None, {}, fake.TIME))
    fake.train(record, fake.spec(place.folder, 1))
    record.flush()
    place.send()
    found = place.runs()
    long, short = (found[name].info.run_id for name in ("0-0-0", "1-0-0"))
    (file,) = (each.path for each in place.client.list_artifacts(long) if each.path == "replay.txt")
    whole = Path(place.client.download_artifacts(long, file)).read_text()
    assert whole == f"python -m hpsearch 'args.text={'a b' * 5000}'"
    assert found["0-0-0"].data.tags["replay"] == "python -m hpsearch replay lr_sweep/0/0 --check"
    assert not [each for each in place.client.list_artifacts(short) if each.path == "replay.txt"]


def test_a_bad_value_stops_its_trial_alone(place, monkeypatch):
    fake.write_study(place.folder)
    real = runs.trial_params

    def params(record):
        return {**real(record), "bad?name": "1"} if record.id.point == 1 and record.id.seed == 0 else real(record)

    monkeypatch.setattr(runs, "trial_params", params)
    sender = place.sender()
    for _ in range(3):
        sender.send(sender.pending())
    assert "1-0-0" in (sender.problem or "")
    assert sender.pending() == set()
    assert {name for name, run in place.runs().items() if run.data.tags.get("state") == "COMPLETE"} >= {
        "0-0-0",
        "2-1-0",
    }


def test_a_big_batch_goes_in_pieces(place):
    record = Record(place.folder)
    fake.open_study(record)
    made = fake.spec(place.folder, 0, **{f"model.width_{index}": index for index in range(150)})
    fake.start(record, made)
    for epoch in range(400):
        fake.report(record, made, epoch)
    record.close()
    place.send()
    run = place.runs()["0-0-0"]
    assert run.data.params["model.width_149"] == "149"
    assert len(place.client.get_metric_history(run.info.run_id, names.STEP_LOSS)) == 3 * 399


def test_sync_sends_what_is_left_and_says_how_much(place):
    fake.write_study(place.folder)
    assert sync(place.folder, place.uri, str(place.artifacts)) == len(read_trials(place.folder)) + 1
    place.assert_complete()
    assert sync(place.folder, place.uri, str(place.artifacts)) == 0


def test_sync_to_a_server_that_is_away_is_one_clear_line(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    fake.write_study(place.folder)
    with pytest.raises(StorageError, match=r"12 of 12 .* MLflow at http://127\.0\.0\.1:9: the server does not"):
        sync(place.folder, "http://127.0.0.1:9")


def test_the_thread_sends_while_the_study_runs(place):
    tracker = MlflowTracker(place.uri, str(place.artifacts), send_every_sec=0.05)
    record = Record(place.folder, tracker.changed)
    fake.open_study(record)
    record.flush()
    tracker.open(place.folder)
    made = fake.spec(place.folder, 0)
    fake.start(record, made)
    fake.report(record, made, 0)
    record.flush()
    assert tracker.flush(30), tracker.problem()
    assert place.runs()["0-0-0"].info.status == "RUNNING"
    fake.report(record, made, 1)
    fake.finish(record, made)
    record.close()
    assert tracker.close(30), tracker.problem()
    place.assert_complete()
    assert place.runs()["0-0-0"].data.tags["state"] == TrialState.COMPLETE


def test_the_hint_opens_this_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert MlflowTracker().hint() == "python -m hpsearch ui"
    assert MlflowTracker("http://host:5000").hint() == "python -m hpsearch ui tracker.uri=http://host:5000"


@pytest.mark.parametrize("sent_before", [False, True])
def test_a_trial_that_other_code_trains_has_a_new_run_with_nothing_of_the_old_one(place, sent_before):
    record = Record(place.folder)
    fake.open_study(record)
    made = replace(fake.spec(place.folder, 0), code="old")
    fake.start(record, made)
    fake.report(record, made, 1, loss=9.0)
    record.state(made.id, TrialState.FAILED, fake.TIME + 9)
    record.flush()
    before = place.send().pending() or place.runs()["0-0-0"].info.run_id if sent_before else None
    record.again(made.id, fake.TIME + 10, "new")
    fake.start(record, replace(made, attempt=2), time=fake.TIME + 11)
    record.flush()
    place.send()
    fake.report(record, made, 1, loss=0.5)
    fake.finish(record, made)
    record.close()
    place.send()
    run = place.runs()["0-0-0"]
    assert run.data.metrics["train/loss"] == 0.5 and run.data.tags["code"] == "new" and run.info.run_id != before
    assert run.data.params["optimizer.lr"] and run.info.status == "FINISHED"
    place.assert_complete()
    assert list(table_from_mlflow(place.uri, "lr_sweep").curves["train/loss"]) == [0.5]


def test_what_a_trial_asked_for_since_its_run_began_is_a_parameter_and_in_its_name(place):
    record, made = Record(place.folder), replace(fake.spec(place.folder, 1), params={})
    fake.open_study(record)
    fake.start(record, made)
    record.flush()
    place.send()
    (begun,) = (run for name, run in place.runs().items() if name != "study")
    config = {**made.config, "args": {"width": 8}}
    record.respecify(replace(made, params={"args.width": 8}, config=config, key="another"))
    fake.report(record, made, 1, **{"valid/acc": 0.5})
    record.close()
    place.send()
    run = place.runs()["1-0-0"]
    assert run.info.run_id == begun.info.run_id
    assert (run.data.params["args.width"], run.info.run_name) == ("8", "1/0 width=8")
    assert run.data.tags["key"] == "another"
