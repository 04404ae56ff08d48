"""How often a search has found the best cell of a small space by point 36, against plain Optuna's TPE.

``python -m tests.benchmarks.bench_small_spaces [--seeds 20] [--points 36] [--first 0] [--only SAMPLER ...]``

A cell of the table: how many of the seeds found it, and in parentheses the mean number of points that it took (one
more than the limit where it was not found). Two kinds of problems, each drawn anew for every seed:

- ``smooth``: 96 cells (4 x 4 x 3 x 2); the score is minus the squared distance to one of them on the cells' scale. Keys
  are choices of numbers.
- ``sums of k``: k factors, each a choice of 0, 1 and 9 (3^k cells). The score is the sum; a third of the possible sums
  are forbidden, and a point with such a sum is INFEASIBLE. Nothing tells which sums are.

A study asks and tells as a search does. Plain Optuna asks for the same keys as categories, proposes points again, and
is told the same.
"""

import argparse
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import TPESampler

from hpsearch.base.types import Objective
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.space import Space
from hpsearch.search.storage import MemoryStore, open_study
from tests.benchmarks.bench_search import built

PLAIN = "Optuna's TPE"
OURS = ("auto", "tpe", "random", "gp")
"""The last one takes a second per point, so it is run where it is named."""
FACTORS = (3, 4, 5, 6)
FORBIDDEN = 3
"""One in so many sums is forbidden."""


@dataclass(frozen=True)
class Problem:
    """A small space and the score of each of its points.

    Attributes:
        values: choices by key.
        score: of a point; None: infeasible.
    """

    values: Mapping[str, Sequence[float]]
    score: Callable[[Mapping[str, Any]], float | None]

    @property
    def best(self) -> float:
        """The best score of any point."""
        cells = (dict(zip(self.values, cell, strict=True)) for cell in product(*self.values.values()))
        return max(score for cell in cells if (score := self.score(cell)) is not None)


def smooth(seed: int) -> Problem:
    """Return a bowl over 96 cells."""
    rng = random.Random(seed)
    values: dict[str, list[float]] = {
        "lr": [0.001, 0.01, 0.1, 1.0],
        "width": [16, 32, 64, 128],
        "depth": [1, 2, 3],
        "momentum": [0, 0.9],
    }
    goal = {key: rng.randrange(len(options)) for key, options in values.items()}
    weight = {key: rng.uniform(0.5, 2) for key in values}

    def score(point: Mapping[str, Any]) -> float:
        return -sum(weight[key] * (values[key].index(point[key]) - goal[key]) ** 2 for key in values)

    return Problem(values, score)


def sums(factors: int) -> Callable[[int], Problem]:
    """Return a maker of forbidden-sums problems."""

    def made(seed: int) -> Problem:
        values = {f"x{i}": [0, 1, 9] for i in range(factors)}
        possible = sorted({sum(cell) for cell in product([0, 1, 9], repeat=factors)})
        forbidden = set(random.Random(seed).sample(possible, len(possible) // FORBIDDEN))

        def score(point: Mapping[str, Any]) -> float | None:
            total = sum(point.values())
            return None if total in forbidden else float(total)

        return Problem(values, score)

    return made


PROBLEMS: dict[str, Callable[[int], Problem]] = {
    "smooth, 96 cells": smooth,
    **{f"sums of {factors}, {3**factors} cells": sums(factors) for factors in FACTORS},
}


def found_at(problem: Problem, sampler: str, seed: int, points: int) -> int | None:
    """Return the number of points until the best cell was tried, None: not by the last point."""
    study = open_study(MemoryStore().open(Path()), "s", optuna.pruners.NopPruner(), Objective("score", "maximize"))
    space = Space.parse({key: f"choice({', '.join(map(str, options))})" for key, options in problem.values.items()})
    distributions = space.distributions()
    if sampler == PLAIN:
        study.sampler = TPESampler(seed=seed)
        distributions = {key: CategoricalDistribution(options) for key, options in problem.values.items()}
    else:
        study.sampler = UniqueSampler(built("sampler", sampler, 1, {}, seed=seed), space, seed)
    best, worst = problem.best, 0.0
    for number in range(1, min(points, space.size() or points) + 1):
        trial = study.ask(distributions)
        score = problem.score(trial.params if sampler == PLAIN else space.active(trial.params))
        if score == best:
            return number
        worst = min(worst, worst if score is None else score)
        trial.set_constraint("infeasible", 1.0 if score is None else -1.0)
        study.tell(trial, worst if score is None else score)
    return None


def _cell(runs: Sequence[int | None], points: int) -> str:
    """Return how many runs found the best cell, and their mean number of points; one more where it was not found."""
    needed = [points + 1 if run is None else run for run in runs]
    return f"{len(runs) - runs.count(None)} ({sum(needed) / len(needed):.1f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1: a sampler with a model is at the best cell less often than plain Optuna's TPE."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--points", type=int, default=36)
    parser.add_argument("--only", nargs="*", choices=OURS, default=OURS[:3])
    asked = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    names = (PLAIN, *asked.only)
    print(f"| best cell by point {asked.points}, of {asked.seeds} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    behind = []
    for problem, make in PROBLEMS.items():
        seeds = range(asked.first, asked.first + asked.seeds)
        runs = {name: [found_at(make(seed), name, seed, asked.points) for seed in seeds] for name in names}
        print(f"| {problem} | {' | '.join(_cell(runs[name], asked.points) for name in names)} |", flush=True)
        missed = {name: runs[name].count(None) for name in names}
        behind += [f"{name} on {problem}" for name in asked.only if name != "random" and missed[name] > missed[PLAIN]]
    print("\nbehind plain Optuna's TPE: " + (", ".join(behind) or "none"))
    return int(bool(behind))


if __name__ == "__main__":
    raise SystemExit(main())
