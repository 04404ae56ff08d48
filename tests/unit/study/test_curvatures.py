import pytest
import torch

from hpsearch.base.errors import StorageError
from hpsearch.cli import run
from hpsearch.study.curvatures import curvatures
from hpsearch.study.folder import study_folder
from hpsearch.tracking.events import read_trials
from hpsearch.trial.build import prepare
from hpsearch.trial.reading import END

WORDS = ["launcher=inline", "tracker=none"]
FIT = ["data=curve", "model=polynomial", "loss=mse", "objective=valid_loss", "data.batch_size=full", "optimizer=sgd"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with two quadratic losses: one trained to its minimum, one for a step."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        long, short = ("trainer.epochs=400", "trainer.eval_every=100"), ("trainer.epochs=1",)
        for words in (long, short):
            assert run([*FIT, *WORDS, "optimizer.lr=0.2", *words]) == 0
    return folder


def test_runs_of_a_quadratic_loss_are_at_its_minimum_where_training_got_there(here, monkeypatch, capsys):
    monkeypatch.chdir(here)
    assert run(["curvature", "single", *WORDS]) == 0
    printed = capsys.readouterr().out
    assert "2 runs: 1 at a minimum and 1 at no critical point" in printed and "studies/single/curvature.csv" in printed
    first, second = curvatures("single", overrides=WORDS).runs
    assert (first.kind, second.kind) == ("minimum", "no critical point")
    assert first.ended and first.epoch == 400 and second.epoch == 1
    for each, logged in zip((first, second), read_trials(study_folder("single")), strict=True):
        job = prepare(logged.config)
        x = job.splits.train.x
        terms = (job.model.terms(x / job.model.largest) - job.model.mean) / job.model.spread
        design = torch.cat([terms, torch.ones_like(x)], 1).double()
        known = torch.linalg.eigvalsh(2 * design.T @ design / len(x))  # of the mean squared error
        assert [value for value, _ in each.found.bottom] == pytest.approx(known.tolist(), rel=1e-5)
        assert each.found.positive.low == each.found.positive.high == 1
    assert first.found.gradient_norm < 1e-3 < second.found.gradient_norm


def test_a_study_of_which_nothing_can_be_measured_is_one_line(here, monkeypatch):
    monkeypatch.chdir(here)
    with pytest.raises(StorageError, match=r"no study .singel. in .*, did you mean .single."):
        curvatures("singel", overrides=WORDS)


def test_the_weights_that_training_ended_with_are_taken(here, monkeypatch):
    monkeypatch.chdir(here)
    folder = study_folder("single") / "trials" / "0-0-0"
    kept = [file.name for file in folder.iterdir()]
    first, _ = curvatures("single", overrides=WORDS).runs
    assert first.weights in (END, "best.safetensors") and first.weights in kept and first.ended
