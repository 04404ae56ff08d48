"""A Lightning module as many people have it: shuffled batches, dropout, a schedule, validation."""

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hpsearch.callbacks.lightning import ReportCallback, checkpoint

QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}


class Rings(pl.LightningDataModule):
    def setup(self, stage):
        ring = torch.arange(1000) % 2
        angle = torch.linspace(0, 40, 1000)
        self.places, self.ring = torch.stack([angle.cos(), angle.sin()], 1) * (1 + ring)[:, None], ring

    def train_dataloader(self):
        return DataLoader(TensorDataset(self.places[:800], self.ring[:800]), batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(self.places[800:], self.ring[800:]), batch_size=200)


class Classifier(pl.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.lr = lr
        self.network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))

    def training_step(self, batch, index):
        loss = nn.functional.cross_entropy(self.network(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("valid/loss", nn.functional.cross_entropy(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), self.lr, momentum=0.9)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)}


def train(lr):
    trainer = pl.Trainer(
        max_epochs=6,
        callbacks=[ReportCallback()],
        **QUIET,
    )
    trainer.fit(
        Classifier(lr),
        datamodule=Rings(),
        ckpt_path=checkpoint(),
    )
