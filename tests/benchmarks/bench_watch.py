"""What measuring layers costs of training time.

    python -m tests.benchmarks.bench_watch [--pairs 7]

The same trials with `trainer.watch_layers` on and off, in alternation, one thread; wanted: under 3 %. Beside each other
stand the medians of wall time and of processor time, and the median of the pairs' ratios of processor time, which other
jobs on the machine disturb least.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from hpsearch.config.compose import compose
from hpsearch.training.loop import train
from hpsearch.trial import prepare
from hpsearch.types import Decision

TRIALS = {
    "MLP on digits, 20 epochs": ("data=digits", "model=mlp", "optimizer=momentum", "trainer.epochs=20"),
    "LeNet on 10,000 clothes, 2 epochs": (
        *("data=fashion_mnist", "data.train_size=10000", "model=lenet", "optimizer=momentum", "trainer.epochs=2"),
    ),
    "six layers on digits, 20 epochs": (
        *("data=digits", "model=mlp", "model.hidden=[64,64,64,64,64,64]", "trainer.epochs=20"),
    ),
}


def seconds(words: tuple[str, ...], watch: bool) -> tuple[float, float]:
    """Return wall and processor time of one trial, without what comes before its first step."""
    with tempfile.TemporaryDirectory() as folder:
        config = compose([*words, f"trainer.watch_layers={str(watch).lower()}"]).trial({}, 0).config
        run = train(prepare(config, "", Path(folder)))
        next(run)
        started, cpu = time.perf_counter(), time.process_time()
        try:
            while True:
                run.send((Decision.CONTINUE,))
        except StopIteration:
            return time.perf_counter() - started, time.process_time() - cpu


def compare(words: tuple[str, ...], pairs: int) -> dict[str, float]:
    """Time both in alternation, after one of each that does not count."""
    rows = []
    for pair in range(-1, pairs):
        row = {watch: seconds(words, watch) for watch in ((True, False) if pair % 2 else (False, True))}
        rows += [row] if pair >= 0 else []
    medians = {
        f"{'on' if watch else 'off'}_{unit}_sec": round(statistics.median(row[watch][place] for row in rows), 4)
        for watch in (True, False)
        for place, unit in enumerate(("wall", "cpu"))
    }
    ratios = [row[True][1] / row[False][1] for row in rows]
    return {**medians, "ratio_cpu": round(statistics.median(ratios), 4), "ratios": [round(r, 3) for r in ratios]}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name, words in TRIALS.items():
        print(name, json.dumps(compare(words, asked.pairs)), flush=True)


if __name__ == "__main__":
    main()
