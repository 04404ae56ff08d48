"""Hugging Face Trainers as trials, with the real library: reported, stopped, paused, gone on with, trained again."""

import pytest
import torch
from torch import nn

import hpsearch
from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.types import TrialState

pytest.importorskip("transformers")
pytest.importorskip("accelerate")
from transformers import Trainer, TrainingArguments

from hpsearch.callbacks.transformers import ReportCallback, checkpoint

pytestmark = pytest.mark.filterwarnings("ignore")
OPTIONS = {"objective": "eval_loss", "direction": "minimize", "tracker": "none"}
INLINE = ["launcher=inline"]
EARLY = ["pruner.n_startup_trials=1", "pruner.n_warmup_steps=1"]
SPACE = {"lr": "tag(log, interval(1e-4, 1))"}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, x, labels):
        outputs = self.layers(x)
        return {"loss": (outputs - labels).square().mean(), "outputs": outputs}


def rows(samples):
    return [{"x": x, "labels": x**2} for x in torch.linspace(-1, 1, samples)[:, None]]


def trainer_of(lr, **options):
    given = {
        "eval_strategy": "epoch",
        "logging_strategy": "no",
        "save_strategy": "no",
        "num_train_epochs": 6,
        **options,
    }
    quiet = {"disable_tqdm": True, "use_cpu": True}
    args = TrainingArguments("out", learning_rate=lr, per_device_train_batch_size=8, **quiet, **given)
    return Trainer(Net(), args, train_dataset=rows(32), eval_dataset=rows(16), callbacks=[ReportCallback()])


def trains(lr, **options):
    trainer_of(lr, **options).train(resume_from_checkpoint=checkpoint())


def without_checkpoints(lr, **options):
    trainer = trainer_of(lr, **options)
    trainer.evaluate()
    trainer.train()
    return trainer.evaluate()["eval_loss"] if trainer.state.epoch == 6 else 1e-9


def test_each_evaluation_is_reported_as_an_epoch():
    run_search(without_checkpoints, space={"lr": [0.01]}, overrides=INLINE, **OPTIONS)
    curve = load_curves("without_checkpoints")
    assert curve["epoch"].tolist() == [1, 2, 3, 4, 5, 6] and curve["step"].tolist() == [4, 8, 12, 16, 20, 24]


def test_paused_trials_go_on_from_their_checkpoints_as_if_they_had_not_been(tmp_path):
    words = [*INLINE, "pruner.start=3"]
    run_search(trains, space=SPACE, points=5, sampler="random", overrides=words, **OPTIONS)
    trials = load_trials("trains")
    assert (trials["attempts"] > 1).any()
    whole = trials[trials["state"] == TrialState.COMPLETE]
    assert len(whole) > 0
    for point in whole["point"][:3]:
        again = hpsearch.replay(f"trains/{point}/0", trains, overrides=[*INLINE, "tracker=none"])
        assert again.same, again.differences
    assert not list((tmp_path / "out").iterdir()), "checkpoints lie in the trial's folder"
    for folder in (tmp_path / "studies" / "trains" / "trials").iterdir():
        assert len(list(folder.glob("checkpoint-*"))) <= 2


def test_a_trial_that_is_to_end_is_pruned_whatever_its_function_returns():
    words, space = [*INLINE, *EARLY], {"lr": [1e-2, 1e-3, 1e-5]}
    run_search(without_checkpoints, space=space, sampler="grid", pruner="median", overrides=words, **OPTIONS)
    trials = load_trials("without_checkpoints")
    pruned = trials[trials["state"] == TrialState.PRUNED]
    assert len(pruned) == 2 and pruned["score"].isna().all()


def test_a_trial_has_its_own_seed_unless_it_names_one():
    def default(lr):
        trainer = trainer_of(lr, num_train_epochs=1)
        seen.append((trainer.args.seed, torch.initial_seed() % 2**32))
        trainer.train()

    def own(lr):
        trainer_of(lr, seed=7, num_train_epochs=1).train()
        named.append(torch.initial_seed())

    seen, named = [], []
    run_search(default, space={"lr": [0.01]}, seeds=2, overrides=INLINE, **OPTIONS)
    assert len(set(seen)) == 2 and all(seed == generator != 42 for seed, generator in seen)
    run_search(own, space={"lr": [0.01]}, seeds=2, overrides=INLINE, **OPTIONS)
    assert named == [7, 7]


def test_evaluations_by_steps_are_counted():
    def by_steps(lr):
        without_checkpoints(lr, eval_strategy="steps", eval_steps=3, num_train_epochs=2)

    run_search(by_steps, space={"lr": [0.01]}, overrides=INLINE, **OPTIONS)
    curve = load_curves("by_steps")
    assert curve["epoch"].tolist() == [1, 2, 3] and curve["step"].tolist() == [3, 6, 8]  # once more at its end


def test_what_saves_only_its_best_is_reported_all_the_same():
    run_search(
        lambda lr: trains(lr, save_strategy="best", metric_for_best_model="loss"),
        space={"lr": [1.0]},
        name="best",
        overrides=INLINE,
        **OPTIONS,
    )
    curve = load_curves("best")
    assert sorted(curve["epoch"].unique()) == [1, 2, 3, 4, 5, 6]
