"""Train a table of learning curves for `bench_search`: LeNet on Fashion-MNIST, random settings of five hyperparameters.

400 settings x 12 epochs on 20,000 images, one seed, one thread: about two and a half hours of one core. The file grows
row by row, and what it holds is not trained again::

    python -m tests.benchmarks.lenet_table [--out FILE] [--rows 400] [--epochs 12] [WORD ...]

A row is ``{"config": {key: number}, "valid_loss": [untrained, epoch 1, ...], "valid_acc": [...]}``, null from where
training diverged. Row i is the i-th point of `SPACE` that the seed draws.
"""

import argparse
import gzip
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.files import replacement
from hpsearch.search.space import Space
from tests.benchmarks.one_trial import reported

SPACE = {
    "optimizer.lr": "tag(log, interval(1e-4, 1.0))",
    "optimizer.momentum": "tag(log, interval(0.1, 0.99))",
    "optimizer.weight_decay": "tag(log, interval(1e-6, 1e-2))",
    "data.batch_size": "tag(log, int(interval(16, 512)))",
    "model.dropout": "tag(log, interval(0.01, 0.6))",
}
WORDS = ("data=fashion_mnist", "data.train_size=20000", "model=lenet", "optimizer=momentum")
METRICS = {"valid_loss": "valid/loss", "valid_acc": "valid/acc"}


def settings(rows: int) -> list[dict[str, Any]]:
    """Return the settings of the first rows."""
    space, rng = Space.parse(SPACE), random.Random(0)
    return [space.active(space.draw(rng)) for _ in range(rows)]


def row(setting: dict[str, Any], epochs: int, words: Sequence[str]) -> dict[str, Any]:
    """Train a setting; return its row."""
    reports, _ = reported([*WORDS, f"trainer.epochs={epochs}", *words], setting, seed=0)
    by_epoch = {report.epoch: report.metrics for report in reports}
    curves = {
        name: [_finite(by_epoch.get(epoch, {}).get(metric, math.nan)) for epoch in range(epochs + 1)]
        for name, metric in METRICS.items()
    }
    return {"config": setting} | curves


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the rows that are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("lenet_fashion.json.gz"))
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("words", nargs="*", metavar="WORD", help="further Hydra overrides")
    asked = parser.parse_args(arguments)
    table = json.loads(gzip.decompress(asked.out.read_bytes())) if asked.out.exists() else []
    for place, setting in enumerate(settings(asked.rows)[len(table) :], start=len(table)):
        table.append(row(setting, asked.epochs, asked.words))
        with replacement(asked.out) as file:
            file.write_bytes(gzip.compress(json.dumps(table).encode(), mtime=0))
        print(f"row {place}: {table[-1]}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
