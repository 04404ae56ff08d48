"""Lightning modules as trials, with the real library: reported, stopped, paused, gone on with, trained again."""

import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import hpsearch
from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.types import TrialState

pl = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.callbacks import EarlyStopping  # noqa: E402

from hpsearch.callbacks.lightning import ReportCallback, checkpoint  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
OPTIONS = {"objective": "val_loss", "direction": "minimize", "tracker": "none"}
INLINE = ["launcher=inline"]
EARLY = ["pruner.n_startup_trials=1", "pruner.n_warmup_steps=1"]
SPACE = {"lr": "tag(log, interval(1e-4, 1))"}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "level", logging.ERROR)


class Net(pl.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.lr = lr
        self.layers = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))

    def training_step(self, batch, index):
        loss = (self.layers(batch[0]) - batch[0] ** 2).square().mean() + torch.rand(()) / 100
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", (self.layers(batch[0]) - batch[0] ** 2).square().mean())

    def on_train_epoch_end(self):
        self.log("from_the_end", float(self.current_epoch))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), self.lr)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)}


class Data(pl.LightningDataModule):
    """Splits where it is asked for a loader, and orders by a generator of its own."""

    def train_dataloader(self):
        train, self.valid = random_split(TensorDataset(torch.linspace(-1, 1, 48)[:, None]), [32, 16])
        return DataLoader(train, 8, shuffle=True, generator=torch.Generator().manual_seed(3))

    def val_dataloader(self):
        return DataLoader(self.valid, 16)


def data():
    data = Data()
    data.train_dataloader()
    return data


def trains(lr, epochs=6, **options):
    stop = EarlyStopping("val_loss", patience=50)
    trainer = pl.Trainer(max_epochs=epochs, callbacks=[ReportCallback(), stop], **QUIET, **options)
    trainer.fit(Net(lr), data(), ckpt_path=checkpoint())


def wait_in_memory(lr):
    trainer = pl.Trainer(max_epochs=6, callbacks=[ReportCallback()], enable_checkpointing=False, **QUIET)
    trainer.fit(Net(lr), data())
    return trainer.callback_metrics["val_loss"].item() if trainer.current_epoch == 6 else 1e9


def test_each_epoch_is_reported_with_all_that_was_logged():
    run_search(trains, space={"lr": [0.01]}, overrides=INLINE, **OPTIONS)
    curves = load_curves("trains")
    assert {"from_the_end", "train_loss", "val_loss"} <= set(curves)
    assert curves["epoch"].tolist() == [1, 2, 3, 4, 5, 6] and curves["from_the_end"].tolist() == [0, 1, 2, 3, 4, 5]
    assert curves["step"].tolist() == [4, 8, 12, 16, 20, 24]


def test_paused_trials_go_on_from_their_checkpoints_as_if_they_had_not_been():
    words = [*INLINE, "pruner.start=3"]
    run_search(trains, space=SPACE, points=5, sampler="random", overrides=words, **OPTIONS)
    trials = load_trials("trains")
    assert (trials["attempts"] > 1).any()
    whole = trials[trials["state"] == TrialState.COMPLETE]
    assert len(whole) > 0
    for point in whole["point"][:3]:
        again = hpsearch.replay(f"trains/{point}/0", trains, overrides=[*INLINE, "tracker=none"])
        assert again.same, again.differences


def test_a_trial_that_is_to_end_is_pruned_whatever_its_function_returns():
    words = [*INLINE, *EARLY]
    space = {"lr": [1e-2, 1e-3, 1e-5]}
    run_search(wait_in_memory, space=space, sampler="grid", pruner="median", overrides=words, **OPTIONS)
    trials = load_trials("wait_in_memory")
    pruned = trials[trials["state"] == TrialState.PRUNED]
    assert len(pruned) == 2 and pruned["score"].isna().all()
    assert load_curves("wait_in_memory")["epoch"].max() == 6


def test_epochs_without_validation_are_not_reported():
    run_search(
        lambda lr: trains(lr, check_val_every_n_epoch=2),
        space={"lr": [0.01]},
        name="seldom",
        overrides=INLINE,
        **OPTIONS,
    )
    assert sorted(load_curves("seldom")["epoch"].unique()) == [2, 4, 6]


def test_a_long_epoch_is_reported_at_each_validation():
    def trains_long(lr):
        callbacks = [ReportCallback(every="validation")]
        pl.Trainer(max_epochs=1, val_check_interval=2, callbacks=callbacks, **QUIET).fit(Net(lr), data())

    run_search(trains_long, space={"lr": [0.01]}, overrides=INLINE, **OPTIONS)
    curve = load_curves("trains_long")
    assert curve["epoch"].tolist() == [1, 2] and curve["step"].tolist() == [2, 4]


def test_a_loop_that_trains_on_meets_stop_at_its_next_report():
    seen = []

    def stubborn(lr):
        try:
            trainer = pl.Trainer(max_epochs=6, min_epochs=6, callbacks=[ReportCallback()], **QUIET)
            trainer.fit(Net(lr), data())
        except hpsearch.Stop:
            seen.append(trainer.current_epoch)
            raise

    run_search(
        stubborn,
        space={"lr": [1e-2, 1e-3, 1e-5]},
        sampler="grid",
        pruner="median",
        overrides=[*INLINE, *EARLY],
        **OPTIONS,
    )
    assert seen and (load_trials("stubborn")["state"] == TrialState.PRUNED).sum() == len(seen)


def test_what_every_is_not():
    with pytest.raises(ValueError, match="every = 'step'; allowed: 'epoch', 'validation'"):
        ReportCallback(every="step")


def test_seeds_differ_and_the_same_seed_is_the_same():
    run_search(trains, space={"lr": [0.01]}, seeds=2, overrides=INLINE, **OPTIONS)
    scores = load_trials("trains")["score"]
    assert scores.nunique() == 2 and np.isfinite(scores).all()
