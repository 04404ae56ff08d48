"""What the doctor says of a machine, of stores and of studies, sound and broken."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import namedtuple
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from hpsearch.base import installed, platform
from hpsearch.base.errors import ConfigError
from hpsearch.base.journal import Journal
from hpsearch.base.owners import this_process
from hpsearch.search.lock import owner
from hpsearch.study.doctor import machine, stores, versions
from hpsearch.study.doctor.examine import MOST_STUDIES, examine
from hpsearch.study.doctor.findings import Finding, Level, checked, ok
from hpsearch.study.folder import folder_lock, write_yaml
from hpsearch.tracking.mlflow_internals import schema_head
from tests.support.fake_study import write_study

DEAD, ELSEWHERE = replace(this_process(), started=1), replace(this_process(), place="0" * 8)


def nothing_amiss(folder):
    with folder_lock(folder):
        return []


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A working folder, with caches and temporary files of its own."""
    for name in ("cache", "tmp", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("hpsearch.study.repair.repair", nothing_amiss)
    return tmp_path / "work"


def written(home, name="lr_sweep", **described):
    folder = home / "studies" / name
    write_study(folder).close()
    write_yaml(folder / "study.yaml", {"command": f"python -m hpsearch +study={name}", **described})
    (folder / "lock").touch()
    (folder / "owner.json").write_text(json.dumps({**owner(), "process": str(DEAD)}))
    return folder


def store_at(path, schema):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE alembic_version (version_num)")
        db.execute("INSERT INTO alembic_version VALUES (?)", [schema])


def of(subject, *target, **options):
    return [each for each in examine(*target, **options).findings if each.subject == subject]


def said(subject, *target, **options):
    return " | ".join(f"{each.level}: {each.text} [{each.way}]" for each in of(subject, *target, **options))


def test_an_empty_folder_is_well_and_nothing_is_created(home):
    found = examine()
    subjects = ["versions", "device", "processor", "disk", "limits", "data", "store", "leftovers", "studies"]
    assert [each.subject for each in found.findings] == subjects and found.exit_code == 0
    assert not [*home.iterdir()]


def test_what_is_looked_at_needs_no_heavy_library(home):
    written(home)
    code = "import sys; from hpsearch.cli import run; run(['doctor']); "
    code += "print({'torch', 'optuna', 'mlflow', 'pandas', 'hydra', 'numpy', 'plotly'} & {*sys.modules})"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "set()", done.stdout


# Studies


def test_a_sound_study_has_one_line(home):
    written(home, config={"tracker": {"_target_": "hpsearch.tracking.base.NoTracker"}})
    counts = "7 complete, 1 infeasible, 1 failed, 1 waiting, 1 paused"
    assert of("lr_sweep") == [ok("lr_sweep", f"complete: {counts}; format 1")]


def test_many_sound_studies_share_a_line(home):
    for number in range(MOST_STUDIES + 1):
        written(home, f"s{number}", config={"tracker": {"_target_": "hpsearch.tracking.base.NoTracker"}})
    assert said("studies") == "ok: 7 are well: s0, s1, s2, s3, s4, s5, s6 []" and not of("s0")
    written(home, "torn")
    assert of("torn") and not of("s0")


def test_a_damaged_line_is_a_problem_that_names_the_file_and_the_command(home):
    path = written(home) / "events/1-0-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"garbled\n", *lines[2:]]))
    path.with_name("1-1-0.jsonl").write_text("[INFO] another program\n")
    found = examine("lr_sweep")
    assert found.exit_code == 1 and "6 complete" not in said("lr_sweep")
    assert "note: complete: 5 complete" in said("lr_sweep") and "2 files cannot be read" in said("lr_sweep")
    mend = "[python -m hpsearch doctor --repair lr_sweep]"
    assert f"problem: events/1-0-0.jsonl: line 2 is damaged and lines after it are not {mend}" in said("lr_sweep")


def test_a_newer_format_is_no_damage(home):
    folder = written(home, format=99)
    assert "problem: study.yaml: is of format 99" in said("lr_sweep") and "update hpsearch []" in said("lr_sweep")
    assert "note: complete: 7 complete" in said("lr_sweep") and folder.exists()
    _without_its_end(folder)
    assert "[python" not in said("lr_sweep"), "its command does not go on with it either"


def _without_its_end(folder):
    path = folder / "events/study.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    (folder / "owner.json").write_text(json.dumps({**owner(), "process": str(DEAD)}))


OWNERS = {
    "dead": ({}, "note: process {pid} on {host}, which had it last, has ended [python -m hpsearch +study=lr_sweep]"),
    "restarted": ({"process": str(replace(this_process(), boot="0" * 8))}, "which had it last, has ended [python"),
    "elsewhere": (
        {"host": "node7", "process": str(ELSEWHERE)},
        "on node7, which had it last, let go of it, or has ended [python",
    ),
    "a command that wrote nothing": ({"process": str(this_process())}, "which had it last, let go of it [python"),
    "hostile": ({"pid": [], "host": {}}, "note: owner.json does not say who had it last"),
    "no mark": ({"process": "1-2-3-4"}, "note: owner.json does not say who had it last"),
    "beyond numbers": ({"pid": 1e400}, "note: owner.json does not say who had it last"),
}


@pytest.mark.parametrize("case", OWNERS)
def test_who_had_an_interrupted_study(home, case):
    changes, expected = OWNERS[case]
    folder = written(home)
    path = folder / "events/study.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    (folder / "owner.json").write_text(json.dumps({**owner(), "process": str(DEAD), **changes}))
    assert "interrupted: 7 complete" in said("lr_sweep")
    assert expected.format(pid=os.getpid(), host=socket.gethostname()) in said("lr_sweep")


def test_a_running_study_says_who_runs_it(home):
    folder = written(home)
    (folder / "owner.json").write_text(json.dumps({**owner(), "process": str(this_process())}))
    with FileLock(folder / "lock"):
        assert "ok: running: 7 complete" in said("lr_sweep")
        assert f"ok: process {os.getpid()} on {socket.gethostname()} has it" in said("lr_sweep")
        (folder / "owner.json").write_text(json.dumps({**owner(), "host": "node7", "process": str(ELSEWHERE)}))
        assert "note: its lock is held, and not by" in said("lr_sweep")
        assert examine("lr_sweep", repair=True).done == ("lr_sweep: runs now, and is left alone",)


COMMANDS = {
    "python -m hpsearch +study=a optimizer.lr=0.1 '~space.model'": "the same command again goes on with it",
    "python -m hpsearch +study=a 'space.optimizer.lr=choice(1, 2)'": None,
    "python -m hpsearch +study=a; rm -rf ~": "the same command again goes on with it",
    "rm -rf ~": "the same command again goes on with it",
    "python -m hpsearch +study=a plugins=[evil]": "the same command again goes on with it",
    "python -m hpsearch --path /evil +study=a": "the same command again goes on with it",
    "python -m hpsearch +study=a ++trainer.command=[sh]": "the same command again goes on with it",
    "python -m hpsearch +study=a '": "the same command again goes on with it",
    "python -m hpsearch +study=a trainer={command:x}": "the same command again goes on with it",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recorded_command_is_shown_where_it_names_nothing_to_trust(home, command):
    folder = written(home, command=command)
    path = folder / "events/study.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    (way,) = [each.way for each in of("lr_sweep") if "had it last" in each.text]
    assert way == (COMMANDS[command] or command)


def test_what_the_store_has_not_received(home):
    written(home)
    assert "note: 12 event files not sent to the store [python -m hpsearch sync lr_sweep]" in said("lr_sweep")
    words = ["tracker.uri=http://alice:secret@127.0.0.1:9"]
    assert "sync lr_sweep 'tracker.uri=http://alice:***@127.0.0.1:9'" in said("lr_sweep", None, words)


def test_links_keep_a_study_from_being_read(home, tmp_path):
    folder = written(home)
    (folder / "events/9-0-0.jsonl").symlink_to(tmp_path)
    (found,) = of("lr_sweep")
    assert found.level is Level.PROBLEM and "is a link that leads out of" in found.text


def test_a_folder_of_links_or_files_is_no_study(home, tmp_path):
    (home / "studies/A_vs_B").mkdir(parents=True)
    (home / "studies/notes.txt").touch()
    assert said("studies") == "ok: none in this folder []"


def test_a_study_without_its_record_is_a_problem_and_not_removed(home):
    folder = written(home)
    shutil.rmtree(folder / "events")
    (folder / "trials").mkdir(exist_ok=True)
    text = said("lr_sweep", repair=True)
    assert "events/study.jsonl of its record is missing [restore the folder from a copy]" in text and folder.exists()


def test_a_published_report_is_no_study_that_lost_its_record(home):
    folder = home / "studies" / "published"
    folder.mkdir(parents=True)
    for name in ("README.md", "study.yaml", "trials.csv"):
        (folder / name).write_text("")
    assert of("published") == [] and examine().exit_code == 0
    assert [each.level for each in of("published", "published")] == [Level.OK]
    (folder / "owner.json").write_text("{}")
    assert [each.level for each in of("published")] == [Level.PROBLEM]


def test_a_damaged_journal_is_a_problem(home):
    folder = written(home)
    (folder / "optuna.journal").write_bytes(b'{"op_code":0}\ngarbled\n{"op_code":0}\n')
    assert "problem: optuna.journal: line 2 is damaged" in said("lr_sweep")


def test_files_beside_the_record_are_named(home):
    folder = written(home)
    shutil.copy(folder / "events/0-0-0.jsonl", folder / "events/0-0-0 copy.jsonl")
    assert "note: events: '0-0-0 copy.jsonl' is no event file" in said("lr_sweep")


def test_ends_that_were_lost_are_a_problem_and_the_command_trains_them_again(home):
    folder = written(home)
    journal = Journal(folder / "events/study.jsonl")
    journal.append({"event": "state", "time": 1.0, "state": "COMPLETE", "trials": 11})
    journal.flush()
    (found,) = [each for each in of("lr_sweep") if "are lost" in each.text]
    assert found.level is Level.PROBLEM and found.way == "python -m hpsearch +study=lr_sweep"
    assert found.text.startswith("the ends of ")


def test_what_the_record_gives_back_is_said_and_what_fails_keeps_no_other_from_it(home, monkeypatch):
    mended = []

    def repair(folder):
        mended.append(folder.name)
        if folder.name == "b":
            raise RecursionError("too\ndeep")
        return [f"{folder}/study.yaml was lost: written again from the record"]

    monkeypatch.setattr("hpsearch.study.repair.repair", repair)
    for name in "abc":
        written(home, name)
    said = ("study.yaml was lost: written again from the record", "cannot be mended: too")
    assert examine(repair=True).done == (f"a: {said[0]}", f"b: {said[1]}", f"c: {said[0]}")
    assert examine("c", repair=True).done == (f"c: {said[0]}",) and mended == ["a", "b", "c", "c"]


# Leftovers


def test_leftovers_are_found_removed_and_not_found_again(home, tmp_path):
    folder = written(home)
    store_at(home / "mlflow.db", schema_head())
    paths = [folder / f"study.yaml.{DEAD}.new", folder / f"trials/0/last.pt.{DEAD}.new", home / "mlflow.db.lock"]
    paths += [tmp_path / f"tmp/hpsearch-a.{DEAD}.new", tmp_path / f"cache/hpsearch/mnist/x.{DEAD}.new"]
    paths += [home / f"mlflow.db.{DEAD}.new", home / f"mlartifacts/lr_sweep/log.txt.{DEAD}.new"]
    half = home / "studies/half"
    kept = [folder / f"study.yaml.{ELSEWHERE}.new", home / "x.tmp", folder / f"y.{this_process()}.new"]
    for path in [*paths, *kept, half / "lock", half / "owner.json"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert "note: of killed processes: " in said("leftovers") and "and 2 more" in said("leftovers")
    assert f"left by killed processes: study.yaml.{DEAD}.new, trials/0/last.pt.{DEAD}.new" in said("lr_sweep")
    assert "is of another machine or container [once nothing runs there: rm -r" in said("lr_sweep")
    assert said("half") == "note: was stopped before anything was on record [python -m hpsearch doctor --repair half]"
    assert all(path.exists() for path in paths)
    done = examine(repair=True).done
    assert len([each for each in done if "removed" in each]) == len(paths) + 1
    assert not any(path.exists() for path in [*paths, half]) and all(path.exists() for path in kept)
    assert examine(repair=True).done == () and said("leftovers") == "ok: none []"


def test_a_half_made_study_that_runs_or_holds_more_stays(home):
    half = home / "studies/half"
    half.mkdir(parents=True)
    with FileLock(half / "lock"):
        assert examine(repair=True).done == ("half: runs now, and is left alone",)
    (half / "notes.txt").touch()
    examine(repair=True)
    assert (half / "notes.txt").exists()


# Stores


def test_stores_that_are_files(home):
    assert said("store") == "ok: mlflow.db is not there yet; the first study makes it []"
    store_at(home / "mlflow.db", schema_head())
    assert "ok: mlflow.db, " in said("store") and "schema" in said("store")
    (home / "mlflow.db").write_text("another program's file, which is no database")
    assert "problem: tracker.uri: " in said("store") and "is no MLflow store" in said("store")
    store_at(home / "other.db", "old")
    assert "made by another version of MLflow (schema old" in said("store", None, ["tracker.uri=sqlite:///other.db"])
    assert said("store", None, ["tracker=none"]).startswith("ok: no tracking store")


class Server(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == "/base/health" and "Authorization" not in self.headers else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, "ok: {} answers []"), (401, "ok: {} answers with status 401 []"), (503, "problem: {} does not answer")],
)
def test_servers_are_asked_without_the_secrets_of_their_addresses(status, expected, monkeypatch):
    monkeypatch.setattr(Server, "status", status)
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_port}/base"
        text = said("store", None, [f"tracker.uri=http://alice:secret@{place}"])
        server.shutdown()
    assert text.startswith(expected.format(f"http://alice:***@{place}")) and "secret" not in text


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(stores, "ANSWER_SEC", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        assert f"problem: http://{place} does not answer" in said("store", None, [f"tracker.uri=http://{place}"])
        uri = f"postgresql+psycopg://bob:pw@{place}/db"
        assert f"ok: postgresql+psycopg://bob:***@{place}/db listens" in said("store", None, [f"tracker.uri={uri}"])


# Versions and machine


def versioned(monkeypatch, **changes):
    known = {name.replace("_", "-"): version for name, version in changes.items()}
    monkeypatch.setattr(versions, "version_of", lambda name: known.get(name, installed.version_of(name)))
    return " | ".join(f"{each.level}: {each.text} [{each.way}]" for each in versions.versions())


VERSIONS = {
    "missing": ({"optuna": None}, "problem: optuna is not installed; hpsearch needs optuna<6,>=5 [pip install"),
    "too old": (
        {"hydra_core": "1.3.2"},
        "problem: hydra-core 1.3.2 is installed; hpsearch needs hydra-core<1.4,>=1.3.8",
    ),
    "too new": ({"optuna": "6.0.0"}, "problem: optuna 6.0.0 is installed"),
    "parts": ({"mlflow_skinny": "3.17.1"}, "with mlflow-skinny 3.17.1 [pip install mlflow-skinny=="),
    "builds": (
        {"torch": "2.13.0+cpu", "torchvision": "0.28.0"},
        "note: torchvision 0.28.0 is another build than torch",
    ),
    "sweeper": ({"hydra_optuna_sweeper": "1.3.0"}, "note: hydra-optuna-sweeper needs optuna below 3"),
    "slower": (
        {"mlflow": "3.18.0", "mlflow_skinny": None, "mlflow_tracing": None},
        "note: mlflow 3.18.0 writes",
    ),
}


@pytest.mark.parametrize("case", VERSIONS)
def test_versions_that_do_not_work_together(monkeypatch, case):
    changes, expected = VERSIONS[case]
    assert expected in versioned(monkeypatch, **changes)


def test_versions_that_do(monkeypatch):
    same = {"torch": "2.13.0+cpu", "torchvision": "0.28.0+cpu", "torchmetrics": None}
    assert versioned(monkeypatch, **same).count("[]") == 1


def gpus(monkeypatch, answer, torch="2.13.0"):
    asked = subprocess.Popen([sys.executable, "-c", answer], stdout=subprocess.PIPE, text=True)
    monkeypatch.setattr(machine, "version_of", lambda _: torch)
    return " | ".join(f"{each.level}: {each.text} [{each.way}]" for each in machine.device(asked))


def test_devices(monkeypatch):
    monkeypatch.setattr(machine, "DEVICE_SEC", 5.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    one = "print('NVIDIA H200, 580.1, 143771')"
    assert gpus(monkeypatch, one) == "ok: NVIDIA H200, 140 GiB; driver 580.1 []"
    assert "problem: torch 2.13.0+cpu is built for the processor alone" in gpus(monkeypatch, one, "2.13.0+cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "note: CUDA_VISIBLE_DEVICES hides every GPU" in gpus(monkeypatch, one)
    failed = gpus(monkeypatch, "print('NVIDIA-SMI has failed:\\n no driver')")
    assert failed.startswith("problem: the driver of the GPU does not answer: NVIDIA-SMI has failed: no driver")
    monkeypatch.setattr(machine, "DEVICE_SEC", 0.05)
    assert "nvidia-smi said nothing for" in gpus(monkeypatch, "import time; time.sleep(60)")


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "level"), [(100 * 2**20, "problem"), (2**30, "note"), (2**40, "ok")])
def test_the_room_on_a_disk(home, monkeypatch, free, level):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**41, 0, free))
    (found,) = of("disk")
    assert found.level == level and found.text.startswith("studies, temporary files and store: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_folder_that_cannot_be_written_is_a_problem(home):
    home.chmod(0o500)
    assert "problem: studies: no right to write in" in said("disk")
    home.chmod(0o700)


def test_limits(monkeypatch):
    monkeypatch.setattr(machine, "_open_files", lambda: 256)
    assert "note: 256 open files" in said("limits") and "[ulimit -n 4096]" in said("limits")
    monkeypatch.setattr(machine, "_open_files", lambda: None)
    assert said("limits").startswith("ok: any number of open files")
    before = os.umask(0)
    try:
        assert "umask 000" in said("limits") and "everybody on this machine may change your studies" in said("limits")
    finally:
        os.umask(before)


def test_cores_of_a_container(monkeypatch):
    monkeypatch.setattr(platform, "core_quota", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(platform, "memory", lambda: (2**29, 2**33))
    assert said("processor").startswith("note: 1 core of 8 (this container")
    assert "0.5 GiB of 8.0 GiB of memory free" in said("processor")


# What is asked for


def test_a_folder_or_a_study_in_it_may_be_named(home, tmp_path, monkeypatch):
    folder = written(home)
    monkeypatch.chdir(tmp_path / "tmp")
    assert examine(str(home)).folder == home and of("lr_sweep", str(home))
    found = examine(str(folder))
    assert found.folder == home and found.findings[-1].subject == "lr_sweep"
    assert Path.cwd() == tmp_path / "tmp"


def test_what_is_neither_is_refused(home):
    written(home)
    with pytest.raises(ConfigError, match=r"no study and no folder 'lr_swep'.*lr_sweep"):
        examine("lr_swep")
    with pytest.raises(ConfigError, match="takes words of tracker alone"):
        examine(None, ["model=mlp"])


def test_what_nobody_thought_of_is_a_finding():
    def check():
        yield ok("store", "first")
        raise RecursionError("too\ndeep")

    found = [*checked("store", check)]
    assert found[0] == ok("store", "first")
    assert found[1].level is Level.PROBLEM and "(RecursionError: too)" in found[1].text
    assert isinstance(found[1], Finding)
