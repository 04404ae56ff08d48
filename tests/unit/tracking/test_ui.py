"""The MLflow UI: a real server, and the prepared views in a real browser."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.tracking import ui
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with a store that holds one study of four learning rates and two seeds."""
    folder = tmp_path_factory.mktemp("work folder #1")
    uri = fake.new_store(folder)
    record = Record(folder / "studies" / "lr_sweep")
    fake.open_study(record)
    for point, lr in enumerate((1e-3, 1e-2, 1e-1, 1.0)):
        for seed in range(2):
            fake.train(record, fake.spec(record.folder, point, seed, **{"optimizer.lr": lr}))
    record.study("state", fake.TIME, state="COMPLETE", answer="The best learning rate is 1.")
    record.close()
    sync(record.folder, uri, str(folder / "mlartifacts"))
    return folder


def _uri(folder):
    return f"sqlite:///{folder}/mlflow.db".replace("#", "%23")


def test_every_study_has_links(folder):
    assert list(ui.links(_uri(folder))) == ["lr_sweep"]
    table, curves = ui.links(_uri(folder), study="lr_sweep")["lr_sweep"]
    assert table.startswith("#/experiments/1/runs?")
    assert "CHART" in curves


def test_unknown_studies_and_stores_are_one_clear_line(folder, tmp_path):
    with pytest.raises(StorageError, match=r"no study 'lr_sweeep' in .*, did you mean 'lr_sweep'\?"):
        ui.links(_uri(folder), study="lr_sweeep")
    with pytest.raises(StorageError, match="run a study in this folder first"):
        ui.links(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_a_server_that_does_not_answer_is_one_clear_line():
    with pytest.raises(StorageError) as raised:
        ui.links("http://127.0.0.1:9")
    assert str(raised.value) == "MLflow at http://127.0.0.1:9: the server does not answer"


def test_a_taken_port_is_passed_over():
    with socket.socket() as taken:
        taken.bind((ui.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert ui.free_port(port) > port


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_no_machine_has_is_refused_in_a_line(port):
    with pytest.raises(ConfigError, match=f"^--port = {port}: must be a whole number from 1 to 65535$"):
        ui.free_port(port)


def test_the_last_port_of_all_is_tried():
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else's
            taken.bind((ui.HOST, 65_535))
            taken.listen()
        with pytest.raises(StorageError, match=r"are taken$"):
            ui.free_port(65_535)


def test_links_of_a_server_are_printed_without_starting_another(monkeypatch, capsys):
    monkeypatch.setattr(ui, "links", lambda *_: {"s": ("#/t", "#/c")})
    assert ui.serve("http://host:5000/") == 0
    assert "trials  http://host:5000/#/t" in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_serves_prints_links_and_leaves_nothing_behind(folder):
    port = ui.free_port(5300)
    served = _serve(folder, port)
    try:
        lines = [served.stdout.readline().decode().strip() for _ in range(5)]
        assert lines[0] == f"MLflow: http://127.0.0.1:{port}"
        assert lines[2].startswith(f"trials  http://127.0.0.1:{port}/#/experiments/1/runs")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as page:
            assert page.status == 200
        children = psutil.Process(served.pid).children(recursive=True)
        assert 1 <= len(children) <= 4
        assert not [child for child in children if "mlflow.db" in " ".join(child.cmdline())]  # addresses hold secrets
        listening = [link.laddr.ip for child in children for link in child.net_connections() if link.status == "LISTEN"]
        assert set(listening) == {"127.0.0.1"}
    finally:
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
        served.stdout.close()
    gone, alive = psutil.wait_procs(children, 10)
    assert not alive, gone


@pytest.mark.slow
def test_the_server_dies_with_the_command(folder):
    served = _serve(folder, ui.free_port(5350))
    served.stdout.readline()
    children = psutil.Process(served.pid).children(recursive=True)
    served.kill()
    served.wait()
    served.stdout.close()
    alive = psutil.wait_procs(children, 10)[1]
    for child in alive:
        child.kill()
    assert children
    assert not alive


def _serve(folder, port):
    code = f"from hpsearch.tracking.ui import serve; raise SystemExit(serve(port={port}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE)


def test_the_server_looks_for_no_module_in_the_working_folder(tmp_path, monkeypatch):
    given = {}

    def start(command, **options):
        given.update(options)
        raise StorageError("not started")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ui.platform, "start_group", start)
    with pytest.raises(StorageError, match="not started"), ui.server("sqlite:////tmp/none.db", None, 5000):
        pass
    assert given["cwd"] != str(tmp_path) and given["env"]["PYTHONSAFEPATH"] == "1"
    assert str(tmp_path) not in given["env"]["PYTHONPATH"]
