"""A Trainer of Hugging Face's transformers as many people have it: dropout, a linear schedule, evaluation."""

import torch
from torch import nn
from transformers import Trainer, TrainingArguments

from hpsearch.callbacks.transformers import ReportCallback, checkpoint


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))

    def forward(self, x, labels):
        outputs = self.network(x)
        return {"loss": nn.functional.cross_entropy(outputs, labels), "outputs": outputs}


def rings(samples):
    ring = torch.arange(samples) % 2
    angle = torch.linspace(0, 40, samples)
    places = torch.stack([angle.cos(), angle.sin()], 1) * (1 + ring)[:, None]
    return [{"x": place, "labels": label} for place, label in zip(places, ring, strict=True)]


def train(lr):
    options = {"per_device_train_batch_size": 16, "eval_strategy": "epoch", "disable_tqdm": True, "use_cpu": True}
    trainer = Trainer(
        Classifier(),
        TrainingArguments("out", learning_rate=lr, num_train_epochs=6, **options),
        train_dataset=rings(320),
        eval_dataset=rings(63),
        callbacks=[ReportCallback()],
    )
    trainer.train(resume_from_checkpoint=checkpoint())
