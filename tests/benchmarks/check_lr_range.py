"""Does the range of the learning-rate finder hold the rate that is best after five epochs?

    python -m tests.benchmarks.check_lr_range [--only lenet/adam] [--train-size N] [--epochs 5] [--seeds 2] [--out F]

On Fashion-MNIST, for the MLP and LeNet with gradient descent, momentum and Adam: the stage `lr_find` with its defaults,
then a fine grid, 4 rates per decade, each rate trained for 5 epochs. The grid grows outwards from the minimum of the
probe's fit, without a look at its range, until on either side 3 neighbouring rates are worse than the best by more than
.02. Wanted: in all six cases the range holds the rate with the best mean validation accuracy.

Without `--train-size` the grid trains on all 54,000 images; the probe sees the same images. With 20,000 of them it
takes 23 minutes on one core. `--out` writes the table to a folder's README.md.
"""

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hpsearch.config.compose import Composition, compose
from hpsearch.study.stages.base import Finding
from hpsearch.study.stages.lr_find import LrFind
from hpsearch.trial.measure import measure
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

    def measure(self, name: str, config: Mapping[str, Any], **options: Any) -> Any:
        """Measure here what a worker would."""
        return measure(name, config, **options)


def grid(words: Sequence[str], start: float, seeds: int) -> dict[float, float]:
    """Return the mean accuracy by rate, 0 where training diverges, from a start outwards as far as it matters."""
    first = round(math.log10(start) * PER_DECADE)
    found: dict[int, float] = {}

    def train(place: int) -> None:
        rate = 10 ** (place / PER_DECADE)
        runs = [trained(words, {"optimizer.lr": rate}, seed) for seed in range(seeds)]
        found[place] = statistics.mean(0.0 if run is None else run["valid/acc"] for run in runs)

    train(first)
    for side in (-1, 1):
        place, worse = first, 0
        while worse < BEYOND:
            place += side
            train(place)
            worse = worse + 1 if found[place] < max(found.values()) - WORSE else 0
    return {10 ** (place / PER_DECADE): found[place] for place in sorted(found)}


@dataclass(frozen=True)
class Row:
    """One case: its row of the table, the accuracy of each rate of its grid, whether the range holds the best."""

    cells: tuple[str, ...]
    scores: Mapping[float, float]
    held: bool


def check(case: str, arguments: argparse.Namespace) -> Row:
    """Measure one case."""
    model, optimizer = case.split("/")
    size = [] if arguments.train_size is None else [f"data.train_size={arguments.train_size}"]
    words = [
        *("data=fashion_mnist", f"model={model}", f"optimizer={optimizer}", "trainer.eval_initial=false"),
        *(f"trainer.epochs={arguments.epochs}", *size),
    ]
    finding: Finding = LrFind().run(Local(compose(words)))
    if "lr_range" not in finding.handed:
        return Row((case, f"refused: {finding.sentence}"), {}, False)
    low, high = finding.handed["lr_range"]
    numbers = finding.numbers
    scores = grid(words, float(numbers["argmin"]), arguments.seeds)
    best = max(scores, key=lambda rate: scores[rate])
    held = low <= best <= high
    probe = (f"{value:.2g}" for value in (low, numbers["steepest"], numbers["argmin"], high))
    spread = f"{numbers['spread_decades']:.2f}"
    found = (f"{best:.2g}", f"{scores[best]:.4f}", "yes" if held else "NO")
    return Row((case, str(finding.verdict), *probe, spread, *found), scores, held)


def markdown(rows: Mapping[str, Row], arguments: argparse.Namespace) -> str:
    """Return the table, and the grids below it."""
    images = arguments.train_size or "all"
    lines = [
        f"{images} images for training, {arguments.epochs} epochs, {arguments.seeds} seeds per rate of the grid.\n",
        "| case | verdict | low | steepest | least | high | spread, decades | best rate | accuracy | held |",
        "|---" * 10 + "|",
        *(f"| {' | '.join(row.cells)} |" for row in rows.values()),
        "\nMean validation accuracy at each rate of the grids; 0: a seed diverged.\n",
        *(f"- {case}: {', '.join(f'{r:.2g} {s:.4f}' for r, s in row.scores.items())}" for case, row in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return how many cases fail."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--train-size", type=int)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows: dict[str, Row] = {}
    for case in [asked.only] if asked.only else CASES:
        rows[case] = check(case, asked)
        print(case, rows[case], flush=True)
    text = markdown(rows, asked)
    print(text)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "README.md").write_text(HEAD + text)
    return sum(not row.held for row in rows.values())


HEAD = """# Does the probe's range hold the best learning rate?

`python -m tests.benchmarks.check_lr_range --train-size 20000 --out studies/lr_range`

The stage `lr_find` with its defaults (100 steps at each of 25 rates, 3 initializations) on Fashion-MNIST, batches of
64, against a fine grid of rates, 4 per decade, each trained for 5 epochs at a constant rate. The grid grows outwards
from the least of the probe's fit until on either side 3 neighbouring rates are worse than the best by more than .02.

"""


if __name__ == "__main__":
    raise SystemExit(main())
