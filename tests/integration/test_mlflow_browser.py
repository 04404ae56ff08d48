"""MLflow as a user meets it through `python -m hpsearch ui`: a real server and a real browser."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpsearch.tracking import ui
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake
from tests.support.browser import NEEDED, chromium, keep, wait

ROOT = Path(__file__).parents[2]
QUESTION, ANSWER = "Which learning rates train this model?", "The best learning rate is 1."
RUNS = "#/experiments/{}/runs?workflowType=machine_learning"

pytestmark = [*NEEDED, pytest.mark.slow]


def study(folder, uri, name, trials, **opened):
    """Write a complete study and send it, as the driver does."""
    record = Record(folder / "studies" / name)
    fake.open_study(record, **opened)
    for place, (params, seed) in enumerate(trials):
        fake.train(record, fake.spec(record.folder, place // 2, seed, **params))
    record.flush()
    best = {"point": 3, "params": trials[-1][0], "mean": 0.903, "sd": 0.001, "n": 2}
    record.study("best", fake.TIME + 20, **best)
    (record.folder / "score.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"/>')
    (record.folder / "README.md").write_text("# What was found")
    for file in ("score.svg", "README.md"):
        record.study("artifact", fake.TIME + 30, path=file)
    record.study("state", fake.TIME + 100, state="COMPLETE", answer=ANSWER)
    record.close()
    sync(record.folder, uri, str(folder / "mlartifacts"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with a store: a sweep of four rates and the arms of an ablation, two seeds each."""
    folder = tmp_path_factory.mktemp("work folder #1")
    uri = fake.new_store(folder)
    rates = [({"optimizer.lr": lr}, seed) for lr in (1e-3, 1e-2, 1e-1, 1.0) for seed in range(2)]
    study(folder, uri, "lr_sweep", rates)
    arms = [({"optimizer.momentum": m, "optimizer.lr": 0.1}, seed) for m in (0.0, 0.9, 0.99) for seed in range(2)]
    config = {"trainer": {"epochs": 3}, "ablation": {"factors": ["optimizer.momentum"]}}
    study(folder, uri, "momentum", arms, config=config)
    return folder


@contextmanager
def served(folder):
    """Run the command and yield the address and the links that it prints."""
    port = ui.free_port(5400)
    command = [sys.executable, "-m", "hpsearch", "ui", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = list(iter(lambda: process.stdout.readline().strip(), "stop with Ctrl-C"))
            names = [place for place, line in enumerate(lines) if line in ("lr_sweep", "momentum")]
            links = {lines[i]: [lines[i + j].split()[1] for j in (1, 2)] for i in names}
            yield lines[0].split()[1], links
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    profile = tmp_path_factory.mktemp("profile")
    with served(folder) as (address, links), chromium(profile, "--window-size=1600,1000") as chrome:
        yield chrome, address, links


def go(chrome, address):
    chrome.get("about:blank")  # the address differs behind the hash only, which would load nothing
    chrome.get(address)


def texts(chrome, selector):
    """Texts of elements from top to bottom."""
    return chrome.execute_script(
        f"return [...document.querySelectorAll({selector!r})]"
        ".sort((a, b) => a.getBoundingClientRect().y - b.getBoundingClientRect().y).map((e) => e.innerText.trim())"
    )


def drawn(chrome, least):
    """Wait until a chart has so many lines, and return the colours of those of the first chart."""
    lines = "document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('.scatterlayer .trace path.js-line')"
    wait(chrome, f"return document.querySelectorAll('.js-plotly-plot').length >= 2 && {lines}.length >= {least}")
    return chrome.execute_script(f"return [...{lines}].map((line) => line.style.stroke)")


def test_the_parent_is_one_row_that_says_what_was_asked_and_opens_to_its_trials(page):
    chrome, address, _ = page
    go(chrome, f"{address}/{RUNS.format(1)}")
    wait(chrome, "return document.querySelectorAll('.ag-center-cols-container .ag-row, .ag-row').length > 0")
    assert QUESTION in wait(chrome, f"return document.body.innerText.includes({QUESTION!r}) && document.body.innerText")
    expand = "document.querySelector('.ag-row button[data-component-id*=runnamecellrenderer]')"
    wait(chrome, f"return {expand} !== null")
    assert "0/0 lr=0.001" not in chrome.execute_script("return document.body.innerText")
    chrome.execute_script(f"{expand}.click()")
    wait(chrome, "return document.body.innerText.includes('0/0 lr=0.001')")
    keep(chrome, "mlflow_parent")


def test_the_table_has_the_trials_best_first_with_what_was_searched(page):
    chrome, _, links = page
    go(chrome, links["lr_sweep"][0])
    wait(chrome, "return document.querySelectorAll(`[col-id='metrics.\\`valid/acc\\`']`).length >= 9")
    scores = [float(text) for text in texts(chrome, "[col-id='metrics.`valid/acc`']") if text and text != "valid/acc"]
    assert len(scores) == 8, "every trial is a row"
    assert scores == sorted(scores, reverse=True)
    assert {"0.001", "0.01", "0.1", "1.0"} <= set(texts(chrome, "[col-id='params.`optimizer.lr`']"))
    keep(chrome, "mlflow_trials")


def test_the_curves_of_all_trials_lie_over_each_other_in_the_colour_of_their_rate(page):
    chrome, _, links = page
    go(chrome, links["lr_sweep"][1])
    colours = drawn(chrome, 8)
    assert len(set(colours)) == 4, "one colour for each learning rate"
    wait(chrome, "return document.body.innerText.includes('Parallel')")
    keep(chrome, "mlflow_curves")


def test_an_ablation_is_shown_arm_by_arm(page):
    chrome, _, links = page
    go(chrome, links["momentum"][0])
    wait(chrome, "return document.body.innerText.includes('Group: 0.99')")
    body = chrome.execute_script("return document.body.innerText")
    assert all(f"Group: {level}\n2" in body for level in ("0.0", "0.9", "0.99")), "two trials in each arm"
    assert body.count("(average)") == 3
    keep(chrome, "mlflow_arms")
    go(chrome, links["momentum"][1])
    wait(chrome, "return document.body.innerText.includes('0.99 (valid/acc)')")
    assert len(set(drawn(chrome, 3)) - {"rgb(0, 0, 0)"}) == 3, "one curve for each arm"
    keep(chrome, "mlflow_arm_curves")


def test_the_run_of_the_study_tells_the_answer_and_opens_its_artifacts(page, folder):
    chrome, address, _ = page
    from hpsearch.tracking import store

    client = store.connect(store.sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")
    (parent,) = [run for run in client.search_runs(["1"]) if run.info.run_name == "lr_sweep"]
    assert parent.data.metrics["best/mean"] == 0.903
    go(chrome, f"{address}/#/experiments/1/runs/{parent.info.run_id}")
    wait(chrome, f"return document.body.innerText.includes({ANSWER!r})")
    keep(chrome, "mlflow_answer")
    go(chrome, f"{address}/#/experiments/1/runs/{parent.info.run_id}/artifacts/README.md")
    wait(chrome, "return document.body.innerText.includes('What was found')")
    assert {"README.md", "score.svg", "config.yaml"} <= set(
        chrome.execute_script("return document.body.innerText").split()
    )
    keep(chrome, "mlflow_artifacts")
