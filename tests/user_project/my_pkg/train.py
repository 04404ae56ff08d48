"""Training of one's own: a generator that yields what it measured after each epoch."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hpsearch.base.types import Decision, Report, Started, TrialResult, TrialRun, TrialState
from my_pkg.data import rings


def train(seed: int, epochs: int, lr: float, features: int, batch: int) -> Iterator[dict[str, float]]:
    """Logistic regression on random features, in NumPy.

    The arguments are `args` of the option; `seed` is the trial's.
    """
    random = np.random.default_rng(seed)
    x, y = rings(400, 0.1, seed=0)
    projection = random.normal(size=(2, features))
    x = np.cos(x @ projection + random.uniform(0, 2 * np.pi, features))
    weight = np.zeros(features)
    for epoch in range(1, epochs + 1):
        for rows in np.split(random.permutation(300), 300 // batch):
            error = 1 / (1 + np.exp(-x[rows] @ weight)) - y[rows]
            weight -= lr * error @ x[rows] / batch
        score = (x @ weight > 0) == y
        loss = np.logaddexp(0, -(2 * y - 1) * (x @ weight))
        yield {
            "train/loss": loss[:300].mean(),
            "valid/loss": loss[300:].mean(),
            "valid/acc": score[300:].mean(),
            "step": epoch * (300 // batch),
        }


def train_with_checkpoints(config: Mapping[str, Any], folder: Path, epochs: int, lr: float) -> TrialRun:
    """The whole protocol: it says where it goes on from, and answers every decision."""
    file = folder / "state.npz"
    done, value = (0, 4.0)
    if file.exists():
        state = np.load(file)
        done, value = int(state["epoch"]), float(state["value"])
    (decision,) = yield (Started(done or None, {"my_fact": config["seed"]}, time.time()),)
    for epoch in range(done + 1, epochs + 1):
        value -= lr * 2 * value
        (decision,) = yield (Report(epoch, epoch, {"valid/loss": value**2}, time=time.time()),)
        if decision is Decision.PAUSE:
            np.savez(file, epoch=epoch, value=value)
            return (TrialResult(TrialState.PAUSED, f"paused after epoch {epoch}", time=time.time()),)
        if decision is Decision.STOP:
            return (TrialResult(TrialState.PRUNED, f"stopped after epoch {epoch}", time=time.time()),)
    return (TrialResult(TrialState.COMPLETE, time=time.time()),)
