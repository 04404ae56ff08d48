"""The whole recipe on real images, killed and resumed, and stopped by a gate."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpsearch import load_trials
from hpsearch.tracking.events import read_study

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
NAMED = ("+study=recipe", "study.name=recipe", "tracker=none")
SMALL = (
    *("trainer.epochs=6", "stages.coarse.points=6", "stages.coarse.epochs=2"),
    *("stages.fine.points=4", "stages.confirm.seeds=2", "stages.lr_find.per_decade=2", "stages.lr_find.steps=30"),
    "stages.lr_find.on_fail=continue",
)


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *NAMED, *words], cwd=folder, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "140"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
def test_killed_in_a_search_it_goes_on_and_ends_confirmed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = start(tmp_path, *SMALL)
    deadline = time.time() + 200
    while not (tmp_path / "studies" / "recipe.coarse" / "events").is_dir() and time.time() < deadline:
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    again = start(tmp_path, *SMALL)
    out, _ = again.communicate(timeout=300)
    assert again.returncode == 0, out
    study = read_study(tmp_path / "studies" / "recipe")
    assert list(study["stages"]) == list(study["config"]["stages"]) == study["recipe"]
    assert study["stages"]["confirm"]["numbers"]["test_mean"] > 0.9
    seeds = set(load_trials("recipe.confirm")["seed"])
    assert seeds.isdisjoint(set(load_trials("recipe.fine")["seed"]))
    coarse = load_trials("recipe.coarse")
    assert len(coarse) == 6 and not coarse[["optimizer.lr", "optimizer.weight_decay"]].duplicated().any()
    page = (tmp_path / "studies" / "recipe" / "report.html").read_text()
    assert all(f'id="stage-{name}"' in page for name in study["stages"])
    assert "Find the learning rate" in (tmp_path / "studies" / "recipe" / "README.md").read_text()


@pytest.mark.slow
def test_a_gate_that_fails_stops_with_exit_code_3_and_says_what_to_change(tmp_path):
    done = start(tmp_path, "optimizer.lr=5e-5", "~space.optimizer.lr", "stage=[overfit_small,coarse]")
    out, _ = done.communicate(timeout=200)
    assert done.returncode == 3, out
    assert "✗ overfit_small" in out and "optimizer.lr" in out
    assert not (tmp_path / "studies" / "recipe.coarse").exists()
