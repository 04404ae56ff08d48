"""Trials of users' own loops train again to the same curve, whoever took turns with them in their process."""

import random
import subprocess
import sys
import time

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


LOST = "only in this run"


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


KILLED = """
import random
import time

import hpsearch


def reporting(lr):
    for epoch in range(1, 7):
        time.sleep(0.05)
        hpsearch.report({"valid/acc": lr + random.random()}, epoch=epoch)
    return lr + random.random()


def saving(lr):
    state, values = hpsearch.folder() / "checkpoint.txt", [random.random()]
    if (saved := hpsearch.checkpoint()) is not None:
        values = [float(line) for line in saved.read_text().split()]
    for epoch in range(len(values), 7):
        time.sleep(0.05)
        values.append(values[-1] / 2 + random.Random(epoch).random() + lr)
        new = state.with_name("checkpoint.txt.tmp")
        new.write_text(" ".join(map(repr, values)))
        new.replace(state)
        hpsearch.report({"valid/acc": values[-1]}, epoch=epoch)


def search(name):
    words = ["launcher.workers=2", "pruner.start=4"]
    space = {"lr": "interval(0, 1)"}
    hpsearch.run_search(globals()[name], space=space, points=10, sampler="random", tracker="none", overrides=words)
"""


@pytest.mark.fault
@pytest.mark.parametrize("name", ["reporting", "saving"])
def test_a_function_of_a_killed_search_is_the_same_again(name, tmp_path, monkeypatch):
    (tmp_path / "my_killed.py").write_text(KILLED)
    command = [sys.executable, "-c", f"import my_killed; my_killed.search({name!r})"]
    with subprocess.Popen(command) as driver:
        while driver.poll() is None and reports(tmp_path / "studies" / name) < 20:
            time.sleep(0.05)
        driver.kill()
    subprocess.run(command, check=True, timeout=250)
    trials = load_trials(name)
    assert set(trials["state"]) <= {TrialState.COMPLETE, TrialState.PRUNED} and len(trials) == 10
    assert (trials["attempts"] > 1).any(), "some waited or were killed"
    monkeypatch.syspath_prepend(tmp_path)
    found = differing(name, "launcher=inline", "plugins=[my_killed]", "tracker=none")
    unlike = {run: [each for each in different if LOST not in each] for run, different in found.items()}
    assert not any(unlike.values()), "a kill may take the report of a checkpoint with it, and nothing else"


def reports(folder):
    """How many epochs are on record."""
    return sum(file.read_text().count('"report"') for file in (folder / "events").glob("*-*-*.jsonl"))
