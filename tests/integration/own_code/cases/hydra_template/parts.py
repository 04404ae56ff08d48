"""What the options of the application name."""

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rings(pl.LightningDataModule):
    def __init__(self, samples, batch_size):
        super().__init__()
        self.samples, self.batch_size = samples, batch_size

    def setup(self, stage):
        ring = torch.arange(self.samples) % 2
        angle = torch.linspace(0, 40, self.samples)
        self.places, self.ring = torch.stack([angle.cos(), angle.sin()], 1) * (1 + ring)[:, None], ring

    def train_dataloader(self):
        return DataLoader(TensorDataset(self.places[200:], self.ring[200:]), self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(TensorDataset(self.places[:200], self.ring[:200]), 200)


class Classifier(pl.LightningModule):
    def __init__(self, width, optimizer):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 2))
        self.optimizer = optimizer

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val/loss", nn.functional.cross_entropy(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return self.optimizer(self.parameters())
