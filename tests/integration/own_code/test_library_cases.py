"""Lightning modules, Trainers and Hydra applications as people have them: killed once while two workers train.

Gone on with by the same command, and trained again. A module and a Trainer take three lines, an application none: its
callback is a word of the command.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from hpsearch import load_trials, replay
from hpsearch.base.types import TrialState
from hpsearch.tracking.mlflow import sync
from tests.support.waiting import kill_when

for library in ("lightning", "transformers", "accelerate"):
    pytest.importorskip(library)

CASES = Path(__file__).parent / "cases"
ENDED = {TrialState.COMPLETE, TrialState.PRUNED}
pytestmark = [pytest.mark.long, pytest.mark.fault, pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore")]


@dataclass
class Case:
    """A program.

    Attributes:
        path: of it in `CASES`.
        command: that searches it, without the Python.
        points: of the search.
        lines: of its author's that are there for hpsearch.
        reports: after which it is killed.
        key: of the hyperparameter.
        replayed: how many of its trials are trained again.
    """

    path: str
    command: tuple[str, ...]
    points: int
    lines: int
    reports: int
    key: str = "args.lr"
    replayed: int = 1000


def function(module, metric, points):
    own = f"plugins=[{module}]", "trainer=own", f"trainer._target_={module}.train", "+study=search", "study.name=case"
    words = *own, f"objective.metric={metric}", "objective.direction=minimize", "study.confirm=0", "launcher.workers=2"
    return (
        "-m",
        "hpsearch",
        *words,
        "pruner.start=3",
        f"budget.points={points}",
        "space.args.lr=tag(log, interval(1e-4, 1))",
    )


REPORTS = "+callbacks.report._target_=hpsearch.callbacks.lightning.ReportCallback"
HYDRA = [
    "train.py", "-m", "hydra/sweeper=hpsearch", "hydra.sweep.dir=jobs", "hydra.sweeper.name=case", REPORTS,
    "hydra.sweeper.metric=val/loss", "hydra.sweeper.direction=minimize", "hydra.sweeper.points=6",
    "hydra.sweeper.seed_key=seed", "hydra.sweeper.workers=2", "hydra.sweeper.pruner=successive_halving",
    'hydra.sweeper.overrides=["study.confirm=0","trainer.epochs=6"]',
    "model=small,large", "model.optimizer.lr=tag(log, interval(1e-4, 1))",
]  # fmt: skip
ALL = {
    "Lightning": Case("lightning_module.py", function("lightning_module", "valid/loss", 20), 20, 3, 30),
    "Trainer": Case("hf_trainer.py", function("hf_trainer", "eval_loss", 8), 8, 3, 12),
    "Hydra": Case("hydra_template", tuple(HYDRA), 6, 0, 9, "args.model.optimizer.lr", 2),
}


@pytest.fixture(scope="module", params=ALL)
def case(request, tmp_path_factory, hydra_path):
    """A program whose search was killed once and run again; its folder is the working folder."""
    folder, it = tmp_path_factory.mktemp("case") / "project", ALL[request.param]
    source = CASES / it.path
    shutil.copytree(source, folder) if source.is_dir() else (folder.mkdir(), shutil.copy(source, folder))
    command = [sys.executable, *it.command]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        if source.is_dir():
            patch.setenv("PYTHONPATH", hydra_path, prepend=":")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
            kill_when(driver, lambda: reported(folder / "studies" / "case") >= it.reports)
        before = load_trials("case")
        again = subprocess.run(command, timeout=900, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        yield it, before, load_trials("case")
    sys.modules.pop(source.stem, None)


def reported(folder):
    return sum(file.read_text().count('"report"') for file in (folder / "events").glob("*-*-*.jsonl"))


def test_its_author_wrote_these_lines(case):
    it = case[0]
    source = CASES / it.path
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.suffix in (".py", ".yaml")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sum("hpsearch" in each or "ReportCallback(" in each or "checkpoint()" in each for each in lines) == it.lines


def test_every_point_ends_once_and_those_that_had_ended_stay_as_they_were(case):
    it, before, after = case
    assert len(after) == it.points == after["point"].nunique() and set(after["state"]) <= ENDED
    ended = before[before["state"].isin(ENDED)].set_index("point")["score"]
    assert len(ended) < it.points
    pd.testing.assert_series_equal(after.set_index("point")["score"][ended.index], ended, check_dtype=False)
    assert (after["state"] == TrialState.PRUNED).any() and (after["attempts"] > 1).any()
    assert after[it.key].between(1e-4, 1).all()


def test_what_ended_trains_again_to_the_same_curve(case):
    it, _, after = case
    own = [word for word in it.command if word.startswith("plugins=")]
    for point in after["point"][: it.replayed]:
        again = replay(f"case/{point}/0", overrides=["launcher=inline", "tracker=none", *own])
        assert again.same and again.again and not again.not_promised, (point, again.differences)


def test_mlflow_and_the_report_have_it(case):
    after = case[2]
    folder = Path("studies", "case")
    sync(folder)
    copied = load_trials("case", uri="sqlite:///mlflow.db")
    assert sorted(copied["score"].dropna()) == sorted(after["score"].dropna())
    assert "MLP" not in (folder / "README.md").read_text() and (folder / "report.html").is_file()
    if case[0].path == "hydra_template":
        complete = after[after["state"] == TrialState.COMPLETE]["point"]
        assert all(Path("jobs", str(point), ".hydra", "overrides.yaml").is_file() for point in complete)
