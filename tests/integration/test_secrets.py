"""Secrets of addresses: in no file, no line on the terminal, no tracking store, no process's arguments."""

import os
import queue
import shutil
import sys
from itertools import count

import pytest

from hpsearch.base import platform
from hpsearch.base.types import TrialState
from hpsearch.cli import run
from hpsearch.launch.process import WorkerProcess
from hpsearch.tracking import store, ui
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from hpsearch.trial import loop
from tests.support import fake_study as fake

SECRET = "S3CRET"
ADDRESSES = (
    *(f"http://me:{SECRET}@127.0.0.1:9", f"http://{SECRET}@127.0.0.1:9/mlflow", f"http://:{SECRET}@127.0.0.1:9"),
    *(f"http://127.0.0.1:9/?token={SECRET}&x=1", f"http://m%40e:{SECRET}%2F@127.0.0.1:9?sig={SECRET}"),
)
SEARCH = (
    *("+study=search", "study.name=rates", "space.optimizer.lr=choice(0.1, 0.2)", "sampler=grid", "pruner=none"),
    *(
        "model=softmax",
        "trainer.epochs=1",
        "trainer.device=cpu",
        "launcher=inline",
        "launcher.retries=0",
        "study.confirm=0",
    ),
)


def found_in(folder):
    return {path.name for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()}


def test_a_study_with_a_secret_address_shows_and_keeps_none(tmp_path, monkeypatch, capfd):
    """One of its trials fails with a message that quotes them all, and its store does not answer."""
    train, calls = loop.train, count()

    def fails_first(job, *more):
        if next(calls) == 0:
            raise RuntimeError(f"cannot reach {' '.join(ADDRESSES)}")
        return train(job, *more)

    def away(uri, _artifacts):
        raise RuntimeError(f"API request to {uri}/api/2.0/mlflow failed")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "connect", away)
    monkeypatch.setattr(loop, "train", fails_first)
    for address in ADDRESSES[1:4]:
        assert run([*SEARCH, f"tracker.uri='{address}'", "tracker.wait=false"]) == 1
    for words in (["ui"], ["sync"], ["list"], ["report", "rates"], ["repot"]):
        run([*words, *([f"tracker.uri='{ADDRESSES[1]}'"] if words != ["list"] else [])])
    assert store.one_line(RuntimeError(f"at {ADDRESSES[1]}")) == "at http://***@127.0.0.1:9/mlflow"
    printed = "".join(capfd.readouterr())
    assert (
        "cannot reach http://me:\\*\\*\\*@127.0.0.1:9 http://\\*\\*\\*@"
        in (tmp_path / "studies/rates/README.md").read_text()
    )
    assert "tracker.uri=http://***@127.0.0.1:9/mlflow" in printed and "token=***" in printed
    assert "MLflow at http://***@127.0.0.1:9/mlflow: API request to http://***@127.0.0.1:9/mlflow/api" in printed
    assert SECRET not in printed and not found_in(tmp_path)


def test_the_tracking_store_has_none(tmp_path):
    folder, file = tmp_path / "studies" / "rates", tmp_path / "mlflow.db"
    record = Record(folder)
    said = f"see {' '.join(ADDRESSES)}"
    fake.open_study(record, question=said, command=said, config={"tracker": {"uri": ADDRESSES[0]}})
    spec = fake.spec(folder, 0, **{"data.path": ADDRESSES[0]})
    fake.start(record, spec)
    record.state(spec.id, TrialState.FAILED, fake.TIME, reason=said, traceback=said, facts={"data.name": ADDRESSES[1]})
    record.study("state", fake.TIME, state="FAILED", answer=said)
    record.close()
    assert sync(folder, f"sqlite:///{file}", str(tmp_path / "mlartifacts")) == 2
    assert not found_in(tmp_path)
    assert b"see http://me:***@" in file.read_bytes()


def test_a_process_that_is_started_has_none_in_its_arguments(tmp_path, monkeypatch):
    started, start = [], platform.start_group

    def noted(command, **options):
        started.append((command, options["env"]))
        return start([sys.executable, "-c", ""], **options)

    monkeypatch.setattr(platform, "start_group", noted)
    monkeypatch.setattr(sys, "argv", ["hpsearch", f"tracker.uri={ADDRESSES[0]}"])
    with pytest.raises(ui.StorageError, match="ended with code 0"), ui.server(ADDRESSES[0], None, 5000):
        pass
    WorkerProcess(tmp_path / "log.txt", 1000, dict(os.environ), queue.SimpleQueue()).join(10)
    assert len(started) == 2 and SECRET in str(started[0][1])
    assert not [command for command, _ in started if SECRET in str(command)]
    shutil.rmtree(tmp_path)


def test_an_interrupted_command_is_printed_without(monkeypatch, capsys):
    monkeypatch.setattr("hpsearch.cli._dispatch", lambda _parsed: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(["+study=lr_sweep", f"tracker.uri={ADDRESSES[1]}"]) == 130
    assert "'tracker.uri=http://***@127.0.0.1:9/mlflow'" in capsys.readouterr().err


def test_the_links_of_a_server_have_none(monkeypatch, capsys):
    monkeypatch.setattr(ui, "links", lambda *_: {"s": ("#/t", "#/c")})
    assert ui.serve(ADDRESSES[0]) == 0
    assert "trials  http://me:***@127.0.0.1:9/#/t" in capsys.readouterr().out
