"""What measuring layers costs of training time.

    python -m tests.benchmarks.bench_watch [--pairs 15] [--only TRIAL]

The same trials with `trainer.watch_layers` on and off, side by side, one thread; wanted: under 3 %. Two of a pair
take turns epoch by epoch, so that what else the machine does meets both alike, and every piece of a trial (the look
before training, each epoch, the end with its files) counts by its least processor time over all pairs: noise only adds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from hpsearch.base.types import Decision, TrialRun
from hpsearch.config.compose import compose
from hpsearch.trial.build import prepare
from hpsearch.trial.loop import train

TRIALS = {
    "MLP on digits, 20 epochs": ("data=digits", "model=mlp", "optimizer=momentum", "trainer.epochs=20"),
    "LeNet on 10,000 clothes, 2 epochs": (
        *("data=fashion_mnist", "data.train_size=10000", "model=lenet", "optimizer=momentum", "trainer.epochs=2"),
    ),
    "six layers on digits, 20 epochs": (
        *("data=digits", "model=mlp", "model.hidden=[64,64,64,64,64,64]", "trainer.epochs=20"),
    ),
}


def begun(words: tuple[str, ...], watch: bool, folder: Path) -> TrialRun:
    """Return a trial that has built everything and not trained yet."""
    config = compose([*words, f"trainer.watch_layers={str(watch).lower()}"]).trial({}, 0).config
    run = train(prepare(config, "", folder))
    next(run)
    return run


def piece(run: TrialRun) -> float | None:
    """Go on to a trial's next report or its end; return the processor time, None when it had ended."""
    started = time.process_time()
    try:
        run.send((Decision.CONTINUE,))
    except StopIteration as end:
        if end.value is None:
            return None
    return time.process_time() - started


def pair(words: tuple[str, ...], first: bool) -> dict[bool, list[float]]:
    """Train both in turns; return the processor time of each one's pieces, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {watch: begun(words, watch, Path(folder) / str(watch)) for watch in (first, not first)}
        pieces: dict[bool, list[float]] = {True: [], False: []}
        while True:
            for watch, run in runs.items():
                spent = piece(run)
                if spent is None:
                    return pieces
                pieces[watch].append(spent)


def compare(words: tuple[str, ...], pairs: int) -> dict[str, float]:
    """Return the least processor time of both, and their ratio; the first pair does not count."""
    rows = [pair(words, bool(number % 2)) for number in range(pairs + 1)][1:]
    least = {
        watch: sum(min(each) for each in zip(*(row[watch] for row in rows), strict=True)) for watch in (True, False)
    }
    return {"on_sec": round(least[True], 4), "off_sec": round(least[False], 4), "ratio": least[True] / least[False]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", choices=list(TRIALS), help="one of the trials")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in [asked.only] if asked.only else TRIALS:
        print(name, json.dumps(compare(TRIALS[name], asked.pairs)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
