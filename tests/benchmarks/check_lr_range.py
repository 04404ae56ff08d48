"""Does the range of the learning-rate finder hold the rate that is best after five epochs?

    python -m tests.benchmarks.check_lr_range [--only lenet/adam] [--train-size N] [--epochs 5] [--seeds 2]

On Fashion-MNIST, for the MLP and LeNet with gradient descent, momentum and Adam: the stage `lr_find` with its defaults,
then a fine grid, 4 rates per decade, each rate trained for 5 epochs. The grid grows outwards from the minimum of the
probe's fit, without a look at its range, until on either side 3 neighbouring rates are worse than the best by more than
.02. Wanted: in all six cases the range holds the rate with the best mean validation accuracy.

Without `--train-size` the grid trains on all 54,000 images, about an hour on one core; the probe sees the same images.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from hpsearch.config.compose import Composition, compose
from hpsearch.recipe.base import Finding
from hpsearch.recipe.lr_find import LrFind
from tests.benchmarks.one_trial import trained

CASES = [f"{model}/{optimizer}" for model in ("mlp", "lenet") for optimizer in ("sgd", "momentum", "adam")]
PER_DECADE = 4
WORSE = 0.02
BEYOND = 3


@dataclass(frozen=True)
class Local:
    """What the stage needs of a recipe, in this process."""

    composition: Composition

    def config(self, params: Mapping[str, Any] | None = None, seed: int = 0) -> Mapping[str, Any]:
        return self.composition.trial(params or {}, seed, 0).config

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)


def grid(words: Sequence[str], start: float, seeds: int) -> dict[float, float]:
    """Return the mean accuracy by rate, 0 where training diverges, from a start outwards as far as it matters."""
    first = round(math.log10(start) * PER_DECADE)
    found: dict[int, float] = {}

    def measure(place: int) -> None:
        rate = 10 ** (place / PER_DECADE)
        runs = [trained(words, {"optimizer.lr": rate}, seed) for seed in range(seeds)]
        found[place] = statistics.mean(0.0 if run is None else run["valid/acc"] for run in runs)

    measure(first)
    for side in (-1, 1):
        place, worse = first, 0
        while worse < BEYOND:
            place += side
            measure(place)
            worse = worse + 1 if found[place] < max(found.values()) - WORSE else 0
    return {10 ** (place / PER_DECADE): found[place] for place in sorted(found)}


def check(case: str, arguments: argparse.Namespace) -> bool:
    """Measure one case, print its row and return whether the range holds the best rate."""
    model, optimizer = case.split("/")
    size = [] if arguments.train_size is None else [f"data.train_size={arguments.train_size}"]
    words = [
        f"model={model}",
        f"optimizer={optimizer}",
        "trainer.eval_initial=false",
        f"trainer.epochs={arguments.epochs}",
    ]
    words = ["data=fashion_mnist", *words, *size]
    started = time.perf_counter()
    finding: Finding = LrFind().run(Local(compose(words)))
    probed = time.perf_counter() - started
    if "lr_range" not in finding.handed:
        print(f"| {case} | refused: {finding.sentence} |", flush=True)
        return False
    low, high = finding.handed["lr_range"]
    numbers = finding.numbers
    scores = grid(words, float(numbers["argmin"]), arguments.seeds)
    best = max(scores, key=lambda rate: scores[rate])
    held = low <= best <= high
    seconds = f"{probed:.0f} | {time.perf_counter() - started:.0f}"
    probe = " | ".join(f"{value:.2g}" for value in (low, numbers["steepest"], numbers["argmin"], high))
    verdict = f"{finding.verdict} | {probe} | {numbers['spread_decades']:.2f}"
    answer = f"{best:.2g} | {scores[best]:.4f} | {'yes' if held else 'NO'}"
    print(f"| {case} | {verdict} | {answer} | {seconds} |", flush=True)
    print("    " + ", ".join(f"{rate:.2g}: {score:.4f}" for rate, score in scores.items()), flush=True)
    return held


def main() -> int:
    """Print the table; return how many cases fail."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--train-size", type=int)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| case | verdict | low | steepest | argmin | high | spread | best | accuracy | held | probe s | all s |")
    print(f"|{'---|' * 12}")
    return sum(not check(case, arguments) for case in ([arguments.only] if arguments.only else CASES))


if __name__ == "__main__":
    raise SystemExit(main())
