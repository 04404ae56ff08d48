"""A language model of characters, with gradient accumulation and a linear warm-up.

To make it tunable its author wrote three lines: the import, the report, and the search at the end.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import hpsearch

TEXT = "she sells sea shells by the sea shore, and the shells she sells are sea shells for sure. " * 8
LETTERS = sorted(set(TEXT))
TOKENS = torch.tensor([LETTERS.index(letter) for letter in TEXT])
LENGTH, BATCH, EPOCHS = 16, 4, 6


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(len(LETTERS), width)
        self.recurrent = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, len(LETTERS))

    def forward(self, tokens):
        return self.head(self.recurrent(self.embed(tokens))[0])


def loss_of(model, starts):
    rows = TOKENS[starts[:, None] + torch.arange(LENGTH + 1)]
    return cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())


def train(lr, width, warmup, accumulate):
    model = Model(width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / warmup))
    valid = torch.arange(600, 680, 8)
    for epoch in range(1, EPOCHS + 1):
        for batch, starts in enumerate(torch.randperm(560)[:64].split(BATCH), 1):
            (loss_of(model, starts) / accumulate).backward()
            if batch % accumulate == 0:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                scheduler.step()
        with torch.no_grad():
            hpsearch.report({"valid/loss": loss_of(model, valid)}, epoch=epoch)


SPACE = {
    "lr": "tag(log, interval(1e-4, 1e-1))",
    "width": [8, 16],
    "warmup": "int(interval(1, 20))",
    "accumulate": [1, 2, 4],
}
OPTIONS = {"objective": "valid/loss", "direction": "minimize", "sampler": "random", "points": 8}
WORDS = ["pruner.start=3", "launcher.workers=2", "launcher.lockstep=true"]
if __name__ == "__main__":
    hpsearch.run_search(train, space=SPACE, overrides=WORDS, **OPTIONS)
