"""The whole recipe: small and cut off before its last stage; on real images, killed and resumed; stopped by a gate."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpsearch import load_trials, run_study
from hpsearch.study.stages.confirm import Confirm
from hpsearch.tracking.events import read_study
from hpsearch.tracking.query import table_from_events

ROOT = Path(__file__).resolve().parents[2]
NAMED = ("+study=recipe", "study.name=recipe", "tracker=none")
SMALL = (
    *("trainer.epochs=6", "stages.coarse.points=6", "stages.coarse.epochs=2"),
    *("stages.fine.points=4", "stages.confirm.seeds=2", "stages.lr_find.per_decade=2", "stages.lr_find.steps=30"),
    "stages.lr_find.on_fail=continue",
)


TINY = (
    *("launcher=inline", "trainer.device=cpu", "model.hidden=[16]", "data.train_size=400", "trainer.epochs=3"),
    *("stages.overfit_small.samples=8", "stages.input_baseline.steps=30", "stages.determinism.steps=2"),
    *("stages.lr_find.per_decade=2", "stages.lr_find.steps=10", "stages.lr_find.initializations=1"),
    *("stages.coarse.points=3", "stages.coarse.epochs=1", "stages.fine.points=3", "stages.fine.promote=2"),
    *("stages.fine.keep=2", "stages.confirm.seeds=2", "stages.lr_find.on_fail=continue"),
    *("stages.overfit_small.on_fail=continue", "stages.input_baseline.on_fail=continue"),
)


def test_cut_off_before_its_last_stage_a_small_recipe_goes_on_there_and_mends_its_reports(tmp_path, monkeypatch):
    def cut(self, context):
        raise RuntimeError("power cut")

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power cut"):
        patch.setattr(Confirm, "run", cut)
        run_study([*NAMED, *TINY])
    before = read_study(tmp_path / "studies" / "recipe")["stages"]
    outcome = run_study([*NAMED, *TINY])
    study = read_study(tmp_path / "studies" / "recipe")
    assert list(before) == study["recipe"][:-1] and list(study["stages"]) == study["recipe"]
    assert {name: study["stages"][name] for name in before} == before
    assert (outcome.failed, outcome.exit_code) == (None, 0)
    coarse, fine, confirm = (load_trials(f"recipe.{name}") for name in ("coarse", "fine", "confirm"))
    assert len(coarse) == len(fine) == 3 and (fine["state"] == "COMPLETE").sum() == 2 and len(confirm) == 4
    assert set(confirm["seed"]).isdisjoint({*fine["seed"], *coarse["seed"]})
    best = fine[fine["state"] == "COMPLETE"].sort_values("score").iloc[-1]
    assert study["stages"]["fine"]["handed"]["candidates"][0]["optimizer.lr"] == best["optimizer.lr"]
    ends = table_from_events(tmp_path / "studies" / "recipe.confirm").ends
    tested = ends.groupby(["point", "seed"])["test/acc"].mean().groupby("point").mean()
    means = confirm.groupby("point")[["score", "optimizer.lr"]].mean().assign(test=tested)
    means = means.sort_values("score").iloc[-1]
    assert outcome.winner["optimizer.lr"] == pytest.approx(means["optimizer.lr"])
    numbers = study["stages"]["confirm"]["numbers"]
    assert (numbers["valid_mean"], numbers["test_mean"]) == pytest.approx((means["score"], means["test"]))
    assert numbers["test_mean"] > 0.5
    page = outcome.report.read_text()
    assert all(f'id="stage-{name}"' in page for name in study["stages"])
    table, report = (tmp_path / "studies" / name for name in ("recipe.coarse/trials.csv", "recipe.fine/report.html"))
    before = table.read_bytes()
    table.write_bytes(bytes(len(before)))
    report.unlink()
    assert run_study([*NAMED, *TINY]).exit_code == 0
    assert table.read_bytes() == before and report.exists()


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *NAMED, *words], cwd=folder, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "140"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.slow
def test_a_gate_that_fails_stops_with_exit_code_3_and_says_what_to_change(tmp_path):
    done = start(tmp_path, "optimizer.lr=5e-5", "~space.optimizer.lr", "stage=[overfit_small,coarse]")
    out, _ = done.communicate(timeout=200)
    assert done.returncode == 3, out
    assert "✗ overfit_small" in out and "optimizer.lr" in out
    assert not (tmp_path / "studies" / "recipe.coarse").exists()
