"""Programs as people have them, killed once while two workers train: searched, pruned, gone on with, trained again."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from hpsearch import load_trials, replay
from hpsearch.base.types import TrialState
from hpsearch.tracking.mlflow import sync
from tests.support.waiting import kill_when

CASES = Path(__file__).parent / "cases"
PRUNED = {TrialState.COMPLETE, TrialState.PRUNED}
pytestmark = [pytest.mark.long, pytest.mark.fault]


@dataclass
class Case:
    """A program.

    Attributes:
        study: that it is.
        points: of its search.
        lines: of it that name hpsearch.
        reports: after which it is killed.
    """

    study: str
    points: int
    lines: int
    reports: int


ALL = {
    "language_model": Case("train", 8, 3, 12),
    "loader": Case("loader", 8, 5, 12),
    "classifiers": Case("score", 100, 2, 30),
}


@pytest.fixture(scope="module", params=ALL)
def case(request, tmp_path_factory):
    """A program that was killed once while it searched, and run again; its folder is the working folder."""
    folder, it = tmp_path_factory.mktemp(request.param), ALL[request.param]
    shutil.copy(CASES / f"{request.param}.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        with subprocess.Popen([sys.executable, f"{request.param}.py"], stderr=subprocess.DEVNULL) as driver:
            kill_when(driver, lambda: reported(folder / "studies" / it.study) >= it.reports)
        before = load_trials(it.study)
        subprocess.run([sys.executable, f"{request.param}.py"], check=True, timeout=280, capture_output=True)
        yield it, before, load_trials(it.study), folder / f"{request.param}.py"
    sys.modules.pop(request.param, None)


def reported(folder):
    return sum(file.read_text().count('"report"') for file in (folder / "events").glob("*-*-*.jsonl"))


def test_its_author_wrote_these_lines(case):
    it, *_, program = case
    lines = program.read_text().split('"""', 2)[2].splitlines()
    assert sum("hpsearch" in line or "run_search(" in line for line in lines) == it.lines


def test_every_point_ends_once_and_those_that_had_ended_stay_as_they_were(case):
    it, before, after, _ = case
    assert len(after) == it.points == after["point"].nunique()
    assert set(after["state"]) <= PRUNED
    ended = before[before["state"].isin(PRUNED)].set_index("point")["score"]
    assert len(ended) < it.points
    pd.testing.assert_series_equal(after.set_index("point")["score"][ended.index], ended)
    if it.points < 100:
        assert (after["state"] == TrialState.PRUNED).any() and (after["attempts"] > 1).any()
    else:
        assert after.groupby("args.kind")["args.trees"].count()["svm"] == 0


def test_what_it_found_trains_again_to_the_same_curve(case):
    it, _, after, program = case
    whole = after[after["state"] == TrialState.COMPLETE]
    function = getattr(import_module(program.stem), "score" if it.study == "score" else "train")
    for point in whole["point"][:2]:
        again = replay(f"{it.study}/{point}/0", function, overrides=["launcher=inline", "tracker=none"])
        assert again.same, again.differences


def test_mlflow_and_the_report_have_it(case):
    it, _, after, program = case
    folder = program.parent / "studies" / it.study
    sync(folder)
    copied = load_trials(it.study, uri="sqlite:///mlflow.db")
    assert sorted(copied["score"].dropna()) == sorted(after["score"].dropna())
    page = (folder / "README.md").read_text()
    assert "MLP" not in page and (folder / "report.html").is_file()
    assert not [each for each in after if each.startswith(("model", "data.", "optimizer"))]


def test_a_notebook_searches_the_same_with_two_workers(tmp_path):
    program = (CASES / "classifiers.py").read_text().replace('"points": 100', '"points": 12, "tracker": "none"')
    cells = [*program.rpartition("\n\n\nSPACE")[::2]]
    cells[1] = f"SPACE{cells[1]}"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        trials = load_trials("score")
    assert trials["state"].tolist() == [TrialState.COMPLETE] * 12 and trials["score"].max() > 0.8
