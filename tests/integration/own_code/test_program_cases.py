"""Programs as people have them, without a line of ours, killed once while two workers train; and trained again."""

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
from tests.support.records import lacked
from tests.support.waiting import kill_when

CASES = Path(__file__).parent / "cases"
ENDED = {TrialState.COMPLETE, TrialState.PRUNED}
SEEDED = "the command has no {seed}"
pytestmark = [pytest.mark.long, pytest.mark.fault]


@dataclass
class Case:
    """A program.

    Attributes:
        file: that it is.
        words: ours, of its command.
        program: its own words.
        points: of its search.
        reports: after which it is killed.
        replayed: how many of its trials are trained again; None: all that ended.
    """

    file: str
    words: tuple[str, ...]
    program: tuple[str, ...]
    points: int
    reports: int
    replayed: int | None = 2

    @property
    def command(self):
        ours = ["launcher.workers=2", "study.name=case", "study.confirm=0", "--points", str(self.points), *self.words]
        return [sys.executable, "-m", "hpsearch", "run", *ours, "--", *self.program]


MINIMIZE = ("objective.metric=loss", "objective.direction=minimize")
ALL = {
    "argparse, DataLoader, StepLR": Case(
        "argparse_loader.py",
        ("lr=tag(log, interval(1e-6, 1))", "gamma=choice(0.5, 0.9)", "objective.metric=accuracy",
         "pruner=successive_halving"),
        (sys.executable, "argparse_loader.py", "--epochs", "8", "--seed", "{seed}"), 8, 16,
    ),
    "shell": Case(
        "descent.sh", ("rate=tag(log, interval(1e-3, 1))", *MINIMIZE, "trainer.epochs=10"),
        ("sh", "descent.sh", "{rate}", "{epochs}"), 8, 20,
    ),
    "seeded": Case(
        "walk.py", ("step=tag(log, interval(1e-3, 1))", "keep=interval(0.9, 1)", *MINIMIZE, "trainer.epochs=12"),
        (sys.executable, "walk.py", "--seed", "{seed}"), 20, 60, None,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=ALL)
def case(request, tmp_path_factory):
    """A program whose search was killed once and run again; its folder is the working folder."""
    folder, it = tmp_path_factory.mktemp("case"), ALL[request.param]
    shutil.copy(CASES / it.file, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with subprocess.Popen(it.command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as driver:
            kill_when(driver, lambda: reported(folder / "studies" / "case") >= it.reports)
        before = load_trials("case")
        again = subprocess.run(it.command, check=True, timeout=280, capture_output=True, text=True)
        yield it, before, load_trials("case"), again.stdout + again.stderr


def reported(folder):
    return sum(file.read_text().count('"report"') for file in (folder / "events").glob("*-*-*.jsonl"))


def test_its_author_wrote_no_line_for_it(case):
    assert "hpsearch" not in (CASES / case[0].file).read_text()


def test_every_point_ends_once_and_those_that_had_ended_stay_as_they_were(case):
    it, before, after, said = case
    assert len(after) == it.points == after["point"].nunique() and set(after["state"]) <= ENDED
    ended = before[before["state"].isin(ENDED)].set_index("point")["score"]
    assert len(ended) < it.points
    pd.testing.assert_series_equal(after.set_index("point")["score"][ended.index], ended, check_dtype=False)
    assert (after["attempts"] > 1).any() and (after["state"] == TrialState.PRUNED).any()
    assert (SEEDED in said) is ("{seed}" not in it.program)


def test_what_it_found_trains_again_to_the_same_curve(case):
    it, _, after, _ = case
    which = after if it.replayed is None else after[after["state"] == TrialState.COMPLETE][: it.replayed]
    for point in which["point"]:
        again = replay(f"case/{point}/0", overrides=["launcher=inline", "tracker=none", *lacked("case", point)])
        assert again.same and again.again, again.differences
        assert again.not_promised.startswith(SEEDED) is ("{seed}" not in it.program)


def test_mlflow_and_the_report_have_it(case):
    _, _, after, _ = case
    folder = Path("studies", "case")
    sync(folder)
    copied = load_trials("case", uri="sqlite:///mlflow.db")
    assert sorted(copied["score"].dropna()) == sorted(after["score"].dropna())
    assert "MLP" not in (folder / "README.md").read_text() and (folder / "report.html").is_file()
    assert not [each for each in after if each.startswith(("model", "data.", "optimizer"))]
