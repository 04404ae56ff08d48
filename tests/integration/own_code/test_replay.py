"""Trials of users' own loops train again to the same curve, whoever took turns with them in their process."""

import random

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hpsearch import load_trials, run_search
from hpsearch.base.types import TrialState
from hpsearch.study.single import replay

INLINE = ("launcher=inline", "plugins=[hpsearch_given]", "tracker=none")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def differing(name, *words):
    """What trials give when they are trained again that is not on record: every complete one, and three others."""
    trials = load_trials(name)
    complete = trials[trials["state"] == TrialState.COMPLETE]
    chosen = pd.concat([complete, trials[trials["state"] == TrialState.PRUNED].head(3)])
    assert len(complete) > 2
    outcomes = [replay(f"{name}/{point}/{seed}", overrides=words) for point, seed in chosen[["point", "seed"]].values]
    return {each.run: each.differences for each in outcomes if not each.same}


def test_a_paused_loop_goes_on_with_the_generators_that_it_left():
    def noisy(x):
        for _ in range(8):
            yield {"valid/acc": x + random.random() / 10}

    run_search(noisy, space={"x": "interval(0, 1)"}, points=80, tracker="none", overrides=["launcher=inline"])
    assert differing("noisy", *INLINE) == {}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_paused_loop_with_a_data_loader_is_the_same_again(workers):
    def trains(lr):
        data = TensorDataset(torch.linspace(-1, 1, 32)[:, None])
        loader = DataLoader(data, batch_size=8, shuffle=True, num_workers=workers, collate_fn=noisy)
        model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for _ in range(4):
            losses = []
            for (x,) in loader:
                loss = (model(x) - x**2).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            yield {"valid/loss": sum(losses) / len(losses)}

    def noisy(rows):
        return (torch.stack([row + random.random() / 10 + torch.rand(()) / 10 for (row,) in rows]),)

    options = {"objective": "valid/loss", "direction": "minimize", "sampler": "random", "tracker": "none"}
    words = ["launcher=inline", "pruner.start=3"]
    run_search(trains, space={"lr": "interval(0.01, 0.3)"}, points=8, overrides=words, **options)
    trials = load_trials("trains")
    assert (trials["attempts"] > 1).any(), "some were paused"
    assert differing("trains", *INLINE) == {}
