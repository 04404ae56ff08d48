"""Averaged weights from the command to the page: what is scored, kept, gone on with and started from."""

import pytest
import safetensors.torch
import torch

from hpsearch import continue_trial, curvature, load_trials, replay, run_study, run_trial
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.trial.build import prepare
from tests.support.jobs import same_weights

PLACE = ("launcher=inline", "tracker=none")
SMALL = ("model=small_conv", "model.channels=[4]", "data.train_size=100", "data.batch_size=32", "trainer.device=cpu")
WORDS = (*PLACE, *SMALL, "objective=valid_loss", "regularizer=ema", "regularizer.ema.epochs=0.5")
HOW = "averaged (EMA of 0.5 epochs)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("averaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for epochs in (2, 4):
            outcome = run_trial([*WORDS, f"trainer.epochs={epochs}"], observer=Silent())
            assert outcome.weights == HOW
        yield folder


def test_it_goes_on_and_is_trained_again_bit_for_bit(folder):
    outcome = continue_trial("single/0/0", ["trainer.epochs=4", *PLACE], observer=Silent())
    trials = load_trials("single").set_index("point")
    measured = ["train/loss", "valid/loss", "valid/acc", "grad_norm", "weights"]
    assert trials.loc[2, measured].tolist() == trials.loc[1, measured].tolist()
    for run in ("single/1/0", outcome.run):
        assert replay(run, overrides=["launcher=inline"]).same


def test_a_trial_starts_from_the_averaged_weights_of_another(folder):
    words = [*SMALL, "finetune=all", "finetune.source=single/1/0"]
    file = folder / "studies" / "single" / "trials" / "1-0-0" / "best.safetensors"
    job = prepare(compose(words).trial({}, 0).config, source=str(file))
    end = torch.load(file.with_name("end.pt"), weights_only=True)
    best = safetensors.torch.load_file(file)
    assert same_weights(dict(job.model.state_dict()), best)
    assert load_trials("single").set_index("point")["best_epoch"][1] == 4
    assert all(torch.equal(best[name], value) for name, value in end["average"]["weights"].items())
    assert not same_weights(best, end["model"])


@pytest.mark.long
def test_curvature_says_of_which_weights_it_is(folder):
    outcome = curvature("single/1/0", overrides=["curvature.samples=50", "curvature.exact=0", *PLACE])
    assert f"the trial's weights are {HOW}" in outcome.notes


def test_a_study_says_it_on_its_pages(folder):
    words = ["+study=lr_sweep", "space.optimizer.lr=choice(0.05, 0.1)", "study.seeds=1", "trainer.epochs=1", *WORDS]
    outcome = run_study(words, observer=Silent())
    said = "Scores and validation losses are of averaged weights (EMA of 0.5 epochs)"
    assert said in outcome.notes[0]
    for page in ("README.md", "report.html"):
        assert said.replace("_", r"\_") in (outcome.folder / page).read_text(encoding="utf-8")
