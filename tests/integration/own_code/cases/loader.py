"""A classifier trained from a DataLoader with steps of the learning rate, and checkpoints as its author always had.

To make it tunable its author wrote five lines: the import, the folder, where it goes on from, the report, and the
search at the end.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hpsearch

EPOCHS = 6


def rings(samples):
    ring = torch.arange(samples) % 2
    angle = torch.linspace(0, 40, samples)
    return TensorDataset(torch.stack([angle.cos(), angle.sin()], 1) * (1 + ring)[:, None], ring)


def train(lr, gamma):
    file = hpsearch.folder() / "checkpoint.pt"
    loader, valid = DataLoader(rings(256), batch_size=32, shuffle=True), rings(63)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=gamma)
    parts, first = (model, optimizer, scheduler), 1
    if saved := hpsearch.checkpoint():
        first, *states = torch.load(saved)
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
    for epoch in range(first, EPOCHS + 1):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        scheduler.step()
        torch.save((epoch + 1, *(part.state_dict() for part in parts)), file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)
        model.eval()
        accuracy = (model(valid.tensors[0]).argmax(1) == valid.tensors[1]).float().mean()
        hpsearch.report({"valid/acc": accuracy}, epoch=epoch)


SPACE = {"lr": "tag(log, interval(1e-3, 1))", "gamma": "interval(0.1, 1)"}
OPTIONS = {"sampler": "random", "points": 8, "name": "loader"}
WORDS = ["pruner.start=3", "launcher.workers=2", "launcher.lockstep=true"]
if __name__ == "__main__":
    hpsearch.run_search(train, space=SPACE, overrides=WORDS, **OPTIONS)
