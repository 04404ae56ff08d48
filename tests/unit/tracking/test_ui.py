"""The MLflow UI: a real server, and the prepared views in a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from hpsearch.errors import StorageError
from hpsearch.tracking import ui
from hpsearch.tracking.events import Record
from hpsearch.tracking.mlflow import sync
from tests.unit.tracking import fake_study as fake

ROOT = Path(__file__).parents[3]
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SCREENSHOTS = Path(os.environ.get("HPSEARCH_SCREENSHOTS", ROOT / "tests" / "screenshots"))
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1600,1000"),
]


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


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not on the PATH")
def test_the_prepared_views_show_the_trials(folder, tmp_path):
    port = ui.free_port(5400)
    table, curves = ui.links(_uri(folder))["lr_sweep"]
    with ui.server(_uri(folder), str(folder / "mlartifacts"), port), _Browser(tmp_path) as browser:
        browser.get(f"http://127.0.0.1:{port}/{table}")
        rows = browser.wait_for("[col-id='params.`optimizer.lr`'] , [col-id='metrics.`valid/acc`']", 18)
        cells = [row for row in rows if row and row not in ("optimizer.lr", "valid/acc")]
        scores = [float(cell) for cell in cells if cell not in ("0.001", "0.01", "0.1", "1")]
        assert len(scores) == 8, "every trial is a row"
        assert scores == sorted(scores, reverse=True)
        browser.save("mlflow_trials.png")
        browser.get("about:blank")
        browser.get(f"http://127.0.0.1:{port}/{curves}")
        browser.wait_for(".js-plotly-plot", 2)
        drawn = "return document.querySelectorAll('.js-plotly-plot .scatterlayer .trace path.js-line').length"
        browser.wait_until(f"{drawn} >= 16")
        colours = browser.run(
            "return [...document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('path.js-line')]"
            ".map(line => line.style.stroke)"
        )
        assert len(set(colours)) == 4, "one colour for each learning rate"
        browser.save("mlflow_curves.png")


class _Browser:
    def __init__(self, profile):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        self._chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        self.get, self.run = self._chrome.get, self._chrome.execute_script

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._chrome.quit()

    def save(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self._chrome.save_screenshot(str(SCREENSHOTS / name))

    def wait_until(self, script, seconds=60.0):
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"not in {seconds} s: {script}"
            time.sleep(0.1)

    def wait_for(self, selector, count):
        """Wait until there are `count` such elements and return their texts, from top to bottom."""
        self.wait_until(f"return document.querySelectorAll({selector!r}).length >= {count}")
        return self.run(
            f"return [...document.querySelectorAll({selector!r})]"
            ".sort((a, b) => a.getBoundingClientRect().y - b.getBoundingClientRect().y).map(cell => cell.innerText)"
        )
