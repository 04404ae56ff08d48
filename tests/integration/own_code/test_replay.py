"""Trials of users' own loops train again to the same curve, whoever took turns with them in their process."""

import random
import subprocess
import sys

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hpsearch import load_trials, run_search
from hpsearch.base.types import TrialState
from hpsearch.study.single import replay
from tests.support.waiting import kill_when

INLINE = ("launcher=inline", "plugins=[hpsearch_given]", "tracker=none")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def differing(name, *words, pruned=3):
    """What trials give when they are trained again that is not on record: every complete one, and some others."""
    trials = load_trials(name)
    complete = trials[trials["state"] == TrialState.COMPLETE]
    chosen = pd.concat([complete, trials[trials["state"] == TrialState.PRUNED].head(pruned)])
    assert len(complete) > 0
    outcomes = [replay(f"{name}/{point}/{seed}", overrides=words) for point, seed in chosen[["point", "seed"]].values]
    return {each.run: each.differences for each in outcomes if not each.same}


def test_a_paused_loop_goes_on_with_the_generators_that_it_left():
    def noisy(x):
        for _ in range(8):
            yield {"valid/acc": x + random.random() / 10}

    run_search(noisy, space={"x": "interval(0, 1)"}, points=30, tracker="none", overrides=["launcher=inline"])
    assert (load_trials("noisy")["attempts"] > 1).sum() > 3, "some were paused"
    assert differing("noisy", *INLINE) == {}


def test_a_paused_loop_with_a_data_loader_is_the_same_again():
    def trains(lr):
        data = TensorDataset(torch.linspace(-1, 1, 32)[:, None])
        loader = DataLoader(data, batch_size=8, shuffle=True, num_workers=2, collate_fn=noisy)
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
    run_search(trains, space={"lr": "interval(0.01, 0.3)"}, points=5, overrides=words, **options)
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


def batches(workers, **options):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    def noisy(rows):
        return torch.stack([row + random.random() / 10 + torch.rand(()) / 10 for (row,) in rows])

    data = TensorDataset(torch.linspace(-1, 1, 24)[:, None])
    return DataLoader(data, batch_size=8, shuffle=True, num_workers=workers, collate_fn=noisy, **options)


def network(lr):
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


def trained(model, optimizer, loader):
    losses = []
    for x in loader:
        loss = (model(x) - x**2).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"valid/acc": -sum(losses) / len(losses)}


def loading(lr, **options):
    loader, (model, optimizer, _) = batches(2, **options), network(lr)
    for _ in range(6):
        yield trained(model, optimizer, loader)


def keeping(lr):  # the workers of its loader live on between epochs
    yield from loading(lr, persistent_workers=True)


def saving(lr):
    import torch

    state = hpsearch.folder() / "checkpoint.pt"
    loader, (model, optimizer, schedule), done = batches(0), network(lr), 0
    if (saved := hpsearch.checkpoint()) is not None:
        done, *states = torch.load(saved)
        for part, content in zip((model, optimizer, schedule), states, strict=True):
            part.load_state_dict(content)
    for epoch in range(done + 1, 7):
        measured = trained(model, optimizer, loader)
        schedule.step()
        new = state.with_name("checkpoint.pt.tmp")
        torch.save((epoch, model.state_dict(), optimizer.state_dict(), schedule.state_dict()), new)
        new.replace(state)
        hpsearch.report(measured, epoch=epoch)


def search(name, points):
    words = ["launcher.workers=2", "pruner.start=4", "study.confirm=0"]
    space = {"lr": "interval(0.01, 0.3)"}
    hpsearch.run_search(globals()[name], space=space, points=points, sampler="random", tracker="none", overrides=words)
"""


LONG = [pytest.mark.long, pytest.mark.timeout(1200)]
TWENTY = [
    pytest.param("saving", 4),
    *(pytest.param(name, 20, marks=LONG) for name in ("reporting", "loading", "keeping", "saving")),
]


@pytest.mark.fault
@pytest.mark.parametrize(("name", "points"), TWENTY)
def test_every_finished_trial_of_a_killed_search_is_the_same_again(name, points, tmp_path, monkeypatch):
    (tmp_path / "my_killed.py").write_text(KILLED)
    command = [sys.executable, "-c", f"import my_killed; my_killed.search({name!r}, {points})"]
    with subprocess.Popen(command) as driver:
        kill_when(driver, lambda: reports(tmp_path / "studies" / name) >= 2 * points)
    subprocess.run(command, check=True)
    trials = load_trials(name)
    assert set(trials["state"]) <= {TrialState.COMPLETE, TrialState.PRUNED} and len(trials) == points
    assert (trials["attempts"] > 1).any(), "some waited or were killed"
    monkeypatch.syspath_prepend(tmp_path)
    words = ("launcher=inline", "plugins=[my_killed]", "tracker=none")
    assert differing(name, *words, pruned=points if points == 20 else 2) == {}


def reports(folder):
    """How many epochs are on record."""
    return sum(file.read_text().count('"report"') for file in (folder / "events").glob("*-*-*.jsonl"))
