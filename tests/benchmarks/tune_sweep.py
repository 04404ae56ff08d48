"""A sweep of learning rates as Ray Tune's users write it: what `bench_ray` compares hpsearch with.

``python -m tests.benchmarks.tune_sweep FORM RATES IMAGES FOLDER``: LeNet for one epoch at each rate, one processor and
one thread a trial. The samples are read once by the driver and handed to the trials by ``tune.with_parameters``. FORM
says how a trial goes through them: ``loader``, a ``DataLoader`` over a ``TensorDataset``; ``tensors``, batches taken
from the tensors by a permutation. ``reused`` is ``tensors`` with actors that train one trial after the other
(``reuse_actors``), which is not the default of Tune: an actor begins with importing torch. Printed is a line of JSON:
seconds from the start of the first trial to the end of the last, and the best accuracy.
"""

import gzip
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import ray
import torch
from ray import tune
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FILES = Path("/usr/share/datasets/fashion-mnist")
VALIDATION, BATCH, EVALUATED = 6_000, 64, 500


def samples(images):
    """Return training and validation images in [0, 1], with their classes."""
    pixels = np.frombuffer(gzip.decompress((FILES / "train-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    classes = np.frombuffer(gzip.decompress((FILES / "train-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    order = np.random.default_rng(0).permutation(len(classes))
    train, valid = order[:images], order[-VALIDATION:]
    x = torch.from_numpy(pixels.reshape(-1, 1, 28, 28)[np.concatenate([train, valid])]).float() / 255
    y = torch.from_numpy(classes[np.concatenate([train, valid])]).long()
    return (x[:images], y[:images]), (x[images:], y[images:])


def lenet():
    """Return the network that hpsearch calls lenet."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def batches(form, x, y):
    """Return the batches of an epoch."""
    if form == "loader":
        return DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)
    return ((x[rows], y[rows]) for rows in torch.randperm(len(x)).split(BATCH))


def train(config, form, data):
    """Train for one epoch, and report."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    (x, y), (x_valid, y_valid) = data
    model, loss_fn = lenet(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"], momentum=0.9)
    for xb, yb in batches(form, x, y):
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(xb) for xb in x_valid.split(EVALUATED)])
    right = (logits.argmax(1) == y_valid).float().mean()
    tune.report({"valid_loss": loss_fn(logits, y_valid).item(), "valid_acc": right.item()})


class Times(tune.Callback):
    """Notes when the first trial starts and the last one ends."""

    first = last = 0.0

    def on_trial_start(self, iteration, trials, trial, **info):
        self.first = self.first or time.time()

    def on_trial_complete(self, iteration, trials, trial, **info):
        self.last = time.time()


def sweep(form, rates, images, folder):
    ray.init(address="local", num_cpus=2, include_dashboard=False)
    times = Times()
    function = tune.with_parameters(train, form="loader" if form == "loader" else "tensors", data=samples(images))
    tuner = tune.Tuner(
        tune.with_resources(function, {"cpu": 1}),
        param_space={"lr": tune.grid_search(rates)},
        tune_config=tune.TuneConfig(metric="valid_acc", mode="max", reuse_actors=form == "reused"),
        run_config=tune.RunConfig(storage_path=folder, callbacks=[times]),
    )
    results = tuner.fit()
    assert len(results) == len(rates) and not results.errors
    print(json.dumps({"trials_sec": times.last - times.first, "best": results.get_best_result().metrics["valid_acc"]}))


if __name__ == "__main__":
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    sweep(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
