"""A study that runs, looked at by a second process: followed to its end, on a terminal, by a reader that leaves."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from hpsearch import run_search
from hpsearch.study.status import Onlooker

STATUS = (sys.executable, "-m", "hpsearch", "status")
OPTIONS = {"space": {"x": [1, 2, 3]}, "objective": "acc", "tracker": "none", "overrides": ["launcher=inline"]}
OPTIONS |= {"sampler": "grid", "pruner": "none", "name": "s"}
WAIT_SEC = 60.0


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def followed(during):
    """Run a study that calls `during` in its second trial, between two reports."""

    def train(x):
        yield {"acc": x / 10}
        if x == 2:
            during()
        yield {"acc": x / 5}

    return run_search(train, **OPTIONS)


def start(*words, **streams):
    return subprocess.Popen([*STATUS, *words], text=True, **streams)


def test_it_is_followed_to_its_end_a_line_per_change():
    lines = []

    def look():
        lines.append(start("--follow", stdout=subprocess.PIPE))
        lines.append(lines[0].stdout.readline())
        found = json.loads(subprocess.run([*STATUS, "--json"], capture_output=True, text=True, check=True).stdout)
        lines.append(found["studies"][0])

    assert followed(look).exit_code == 0
    process, first, found = lines
    rest, _ = process.communicate(timeout=WAIT_SEC)
    assert process.returncode == 0
    assert first.startswith("s: 1/3 trials, 1 complete, 1 running, best acc 0.200")
    assert f"running: process {os.getpid()} on this machine" in first
    assert rest.splitlines()[-1].startswith("s: 3/3 trials, 3 complete, best acc 0.600")
    assert rest.splitlines()[-1].endswith(", complete")
    assert (found["state"], found["driver"]["pid"], found["total"]) == ("RUNNING", os.getpid(), 3)
    assert found["counts"] == {"COMPLETE": 1, "RUNNING": 1} and found["best"]["mean"] == 0.2
    (running,) = found["running"]
    assert (running["id"], running["params"], running["epoch"]) == ("1/0", {"args.x": 2}, 1)
    assert (running["worker"], running["node"], running["attempt"]) == (0, os.uname().nodename, 1)


def test_a_terminal_is_redrawn_and_ctrl_c_ends_the_looking_alone():
    said = []

    def look():
        here, there = pty.openpty()
        process = start("s", "--follow", stdout=there, stderr=there, stdin=there)
        os.close(there)
        seen = ""
        while "queue" not in seen:
            seen += os.read(here, 65536).decode()
        process.send_signal(signal.SIGINT)
        said.extend((seen, process.wait(WAIT_SEC)))
        os.close(here)

    assert followed(look).exit_code == 0
    seen, code = said
    assert code == 0 and "Traceback" not in seen
    assert "1/3 trials" in seen and "running: process" in seen and "\x1b[" in seen


def test_a_reader_that_leaves_ends_it():
    codes = []

    def look():
        process = start("--follow", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        codes.append((process.wait(WAIT_SEC), process.stderr.read()))
        process.stderr.close()

    followed(look)
    assert codes == [(0, "")]


def test_a_folder_that_may_only_be_read_will_do(folder):
    followed(lambda: None)
    for path in (folder / "studies").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(folder.rglob("*"))
    (found,) = Onlooker("s").look(time.time())
    assert (found.state, found.progress.counts) == ("COMPLETE", {"COMPLETE": 3})
    assert sorted(folder.rglob("*")) == before
    for path in (folder / "studies").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no study 'nothing' in "),
        (["s", "seed=1"], "unexpected seed=1"),
        (["../s"], "'../s': is no name of a study"),
        ([], "no studies in "),
    ],
)
def test_bad_words_are_a_line(words, said, capsys):
    from hpsearch.cli import run

    assert run(["status", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
