"""How a study stands, from lines that a driver wrote and who signed them."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.base.observer import Driver
from hpsearch.base.owners import this_process
from hpsearch.base.types import TrialId, TrialState
from hpsearch.study.status import SILENT_SEC, Onlooker

NOW = 1_790_000_000.0
CONFIG = {"trainer": {"epochs": 4}, "tracker": {"_target_": "hpsearch.tracking.base.NoTracker"}}
OUTSIDE = {**CONFIG, "trainer": {"_target_": "hpsearch.trial.outside.train"}}
CREATED, OPEN = {"event": "created", "uid": "u"}, {"event": "open", "time": NOW - 100, "config": CONFIG}
OPEN = OPEN | {"objective": {"metric": "acc"}, "space": {}, "name": "s"}
BEST = {"event": "best", "time": NOW - 60, "point": 0, "params": {"a": 1}, "mean": 0.9, "sd": 0.0, "n": 1}


def ended(state, **fields):
    return {"event": "state", "time": NOW - 20, "state": state, **fields}


def load(total, ago=1):
    return {"event": "system", "time": NOW - ago, "metrics": {}, "total": total}


def trial(point, *states, seed=0, reason="", began=50.0, epoch=0, attempt=1):
    """Lines of a trial that began so many seconds ago and went through some states."""
    spec = {"event": "spec", "time": NOW - 90, "point": point, "seed": seed, "fold": 0, "key": "k", "folder": "f"}
    lines = [spec | {"params": {"a": point}, "overrides": [], "config": CONFIG}]
    if not states or states[0] != "WAITING":
        start = {"event": "start", "time": NOW - began, "attempt": attempt, "epoch": None, "facts": {}}
        lines.append(start | {"worker": 1, "node": "far"})
    if epoch:
        report = {"event": "report", "time": NOW - 3, "epoch": epoch, "step": 1, "metrics": {"acc": 0.5}, "steps": []}
        lines.append(report)
    for state in states:
        end = {"event": "state", "time": NOW - began + 30, "state": state, "attempt": attempt, "facts": {}}
        lines += [end | {"artifacts": [], "reason": reason}]
    return lines


def study(folder, *own, trials=(), process=None, host="h"):
    """Write the record of a study, and who has it."""
    events = folder / "events"
    events.mkdir(parents=True)
    for name, lines in (("study", [CREATED, *own]), *((f"{t[0]['point']}-{t[0]['seed']}-0", t) for t in trials)):
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        (events / f"{name}.jsonl").write_text(text)
    if process is not None:
        (folder / "owner.json").write_text(json.dumps({"host": host, "pid": process.pid, "process": str(process)}))
        os.utime(folder / "owner.json", (NOW - 100, NOW - 100))
    return folder


HERE = this_process()
GONE, FAR = replace(HERE, started=HERE.started + 1), replace(HERE, place="0" * 8)


@pytest.fixture
def looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def look(*args, name="s", now=NOW, **kwargs):
        study(tmp_path / "studies" / "s", *args, **kwargs)
        return Onlooker(name).look(now)[0]

    return look


@pytest.mark.parametrize(
    ("own", "trials", "process", "state", "alive"),
    [
        ((OPEN,), [trial(0)], HERE, "RUNNING", True),
        ((OPEN,), [trial(0)], GONE, "INTERRUPTED", False),
        ((OPEN,), [trial(0)], FAR, "RUNNING", None),
        ((OPEN,), [trial(0)], None, "INTERRUPTED", None),
        ((OPEN, ended("PAUSED", why="cut off")), [trial(0, "PAUSED")], HERE, "PAUSED", True),
        ((OPEN, ended("COMPLETE")), [trial(0, "COMPLETE")], HERE, "COMPLETE", True),
        ((OPEN, ended("COMPLETE")), [trial(0, "COMPLETE")], FAR, "COMPLETE", None),
        ((OPEN, ended("PAUSED"), OPEN), [trial(0)], HERE, "RUNNING", True),
        ((OPEN | {"config": OUTSIDE},), [trial(0)], GONE, "TURNS", False),
        ((OPEN | {"config": OUTSIDE}, ended("PAUSED")), [trial(0)], GONE, "TURNS", False),
        ((OPEN | {"config": OUTSIDE}, ended("COMPLETE")), [trial(0, "COMPLETE")], GONE, "COMPLETE", False),
        (({"event": "open", "time": "now"},), [trial(0)], HERE, "DAMAGED", True),
    ],
)
def test_a_table_of_states(looked, own, trials, process, state, alive):
    found = looked(*own, trials=trials, process=process)
    assert found.state == state and found.goes_on == (state in ("RUNNING", "TURNS"))
    assert (found.driver.is_alive if found.driver else None) is alive
    assert bool(found.progress.running) == found.goes_on


def test_no_worker_of_ours_trains_what_was_asked_for_from_outside(looked):
    (running,) = looked(OPEN | {"config": OUTSIDE}, trials=[trial(0)], process=GONE).progress.running
    assert (running.worker, running.node) == (None, "")


def test_told_by_turns_it_is_paused_once_nothing_is_asked_for_and_nobody_came_for_long(looked, tmp_path):
    own = (OPEN | {"config": OUTSIDE}, ended("PAUSED"))
    assert looked(*own, trials=[trial(0, "COMPLETE")], process=GONE).state == "TURNS"
    assert Onlooker("s").look(NOW + SILENT_SEC)[0].state == "PAUSED"


def test_all_that_is_told_of_a_study_that_runs(looked):
    trials = [
        *(trial(point, "COMPLETE", began=80 - point) for point in range(4)),
        trial(4, "FAILED", reason="ValueError: x"),
        trial(5, "FAILED", reason="ValueError: x"),
        trial(6, "FAILED", reason="its worker died"),
        trial(7, epoch=2, attempt=2),
        trial(8, "WAITING"),
        trial(9, "WAITING", reason="its worker died"),
        trial(10, "PAUSED"),
    ]
    found = looked(OPEN, BEST, load(20), trials=trials, process=HERE, host="h")
    progress = found.progress
    states = ("COMPLETE", "FAILED", "RUNNING", "WAITING", "PAUSED")
    assert progress.counts == dict(zip(map(TrialState, states), (4, 3, 1, 2, 1), strict=True))
    assert (progress.total, progress.elapsed_sec, progress.metric) == (20, 100.0, "acc")
    (running,) = progress.running
    assert (running.id, running.epoch, running.epochs, running.metrics) == (TrialId(7, 0), 2, 4, {"acc": 0.5})
    assert (running.worker, running.node, running.attempt, running.heard_sec) == (1, "far", 2, 3.0)
    assert (progress.best.mean, progress.best.metric) == (0.9, "acc")
    assert [(each.trials, each.trial, each.reason) for each in found.failures] == [
        (2, "4/0", "ValueError: x"),
        (1, "6/0", "its worker died"),
    ]
    assert found.retried == ((TrialId(9, 0), "its worker died"),)
    assert found.driver == Driver("h", os.getpid(), True, True)
    assert (found.heard_sec, found.unsent, found.unreadable, found.cut_off) == (1.0, None, (), ())
    # 7 finished and half of one in 100 s; 20 - 7.5 - 1 that waits are left
    assert found.left_sec == pytest.approx((20 - 8.5) * 100 / 7.5)


def test_what_a_driver_before_had_finished_is_no_measure_of_this_one(looked):
    before = [trial(point, "COMPLETE", began=200) for point in range(10)]
    found = looked(OPEN, load(20), trials=[*before, trial(11, "COMPLETE")], process=HERE)
    assert found.left_sec == pytest.approx((20 - 11) * 100 / 1)


def test_an_old_record_says_less(looked):
    lines = trial(0)
    lines[1] = {key: value for key, value in lines[1].items() if key not in ("worker", "node")}
    found = looked(OPEN, {"event": "system", "time": NOW, "metrics": {}}, trials=[lines], process=HERE)
    (running,) = found.progress.running
    assert (running.worker, running.node, found.progress.total, found.left_sec) == (None, "", None, None)


def test_trials_that_a_killed_driver_left_are_cut_off_and_not_running(looked):
    found = looked(OPEN, load(9), trials=[trial(0, "COMPLETE"), trial(1, epoch=1)], process=GONE)
    assert found.cut_off == (TrialId(1, 0),)
    assert found.progress.counts == {TrialState.COMPLETE: 1} and found.progress.total == 9
    assert found.left_sec is None and found.progress.elapsed_sec == 99.0


def test_files_that_cannot_be_read_are_named_and_the_rest_is_told(looked):
    broken = trial(1)
    broken[1] = broken[1] | {"time": "now"}
    found = looked(OPEN, trials=[trial(0), broken], process=HERE)
    assert [each.id for each in found.progress.running] == [TrialId(0, 0)]
    assert len(found.unreadable) == 1 and "time is 'now'" in found.unreadable[0]


def test_a_recipe_is_shown_with_its_stages_and_the_one_that_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage = {"event": "stage", "name": "look", "verdict": "pass"}
    studies = tmp_path / "studies"
    study(studies / "r", OPEN | {"recipe": ["look", "coarse", "fine"]}, stage, process=HERE)
    study(studies / "r.coarse", OPEN, trials=[trial(0)], process=HERE)
    study(studies / "r.before", OPEN, ended("COMPLETE"), trials=[trial(0, "COMPLETE")], process=HERE)
    study(studies / "other", OPEN, trials=[trial(0)], process=HERE)
    onlooker = Onlooker("r")
    recipe, coarse = onlooker.look(NOW)
    assert recipe.stages == {"look": "pass", "coarse": "", "fine": ""}
    assert coarse.progress.study == "r.coarse"
    with (studies / "r.coarse/events/study.jsonl").open("a") as file:
        file.write(json.dumps(ended("COMPLETE")) + "\n")
    study(studies / "r.fine", OPEN, trials=[trial(0)], process=HERE)
    assert [each.progress.study for each in onlooker.look(NOW)] == ["r", "r.coarse", "r.fine"], "none goes from sight"


def test_without_a_name_all_that_run_are_shown_else_the_last_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="no studies in"):
        Onlooker()
    studies = tmp_path / "studies"
    for number, name in enumerate(("old", "last", "older")):
        folder = study(studies / name, OPEN, ended("COMPLETE"), process=GONE)
        os.utime(folder / "events/study.jsonl", (NOW + number % 2, NOW + number % 2))
    assert [each.progress.study for each in Onlooker().look(NOW)] == ["last"]
    study(studies / "b", OPEN, process=HERE)
    study(studies / "a", OPEN, load(3), process=FAR)
    study(studies / "long_silent", OPEN | {"time": NOW - 9999}, process=FAR)
    os.utime(studies / "long_silent/owner.json", (NOW - 9999, NOW - 9999))
    assert [each.progress.study for each in Onlooker().look(NOW)] == ["a", "b"]
    assert [each.state for each in Onlooker("long_silent").look(NOW)] == ["RUNNING"]


def test_links_that_lead_out_are_not_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studies = tmp_path / "studies"
    study(studies / "sound", OPEN, ended("COMPLETE"))
    study(studies / "s", OPEN, process=HERE)
    (studies / "s/events/1-0-0.jsonl").symlink_to("/etc/passwd")
    assert [each.progress.study for each in Onlooker().look(NOW)] == ["sound"]
    with pytest.raises(StorageError, match="leads out of"):
        Onlooker("s")


def test_it_loads_no_heavy_library():
    code = "import hpsearch.terminal.status, hpsearch.study.status, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "optuna", "mlflow", "pandas", "hydra", "omegaconf", "plotly", "scipy", "numpy", "filelock"}
    assert not heavy & set(done.stdout.split())


def test_nothing_is_written_and_no_lock_is_asked_for(looked, tmp_path, monkeypatch):
    import filelock

    monkeypatch.setattr(filelock.FileLock, "acquire", lambda *_: pytest.fail("the study's lock was taken"))
    looked(OPEN, trials=[trial(0)], process=FAR, host=socket.gethostname())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    Onlooker().look(NOW)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
