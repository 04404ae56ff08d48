"""The recipe against random search: as good a setting for a third of the epochs?

    python -m tests.benchmarks.bench_recipe --out FOLDER [--repeats 3] [--points 40] [--images 20000] [--epochs 10]

LeNet on Fashion-MNIST, both sides over the same space: the learning rate, weight decay and dropout, as one who has not
trained this network before would bound them. Random search trains every point to its end and its best point wins; of
the recipe the best point of the stage `fine` wins, which saw one seed too: the stage `confirm`, which trains three
candidates over fresh seeds, is left out. Both winners are then trained on the same 5 fresh seeds and tested.

Epochs are passes over the training images, of trials that diverge those up to there; of the recipe those of every stage
count, the probes' and the small sample's too. Wanted: the recipe's mean test accuracy is at least random search's minus
one standard error (a repeat is one sample: the spread over the repeats' means), for at most a third of its epochs.

What FOLDER holds already is not trained again. The table is written to ``bench_recipe.md``, all numbers to
``bench_recipe.json``.
"""

import argparse
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hpsearch.progress.display import Silent
from hpsearch.study.api import run_study
from hpsearch.study.recipe import RecipeOutcome
from hpsearch.study.stages.common import complete_points, counts
from hpsearch.study.tables import table_of
from hpsearch.tracking.events import read_study
from tests.benchmarks.one_trial import trained

SPACE = (
    "space.optimizer.lr=tag(log, interval(1e-4, 1))",
    "space.optimizer.weight_decay=tag(log, interval(1e-6, 1e-2))",
    "space.model.dropout=interval(0, 0.5)",
)
STAGES = "data_check,initial_loss,determinism,input_baseline,gradient_isolation,overfit_small,lr_find,coarse,fine"
SEEDS = 5
FRESH = 10_000
"""Added to a repeat's seed: its searches have not seen the seeds from there on."""
SHARE = 1 / 3


@dataclass(frozen=True)
class Side:
    """One search: its winner, the epochs that it took, and the winner's accuracies on fresh seeds."""

    winner: Mapping[str, Any]
    searched: float
    epochs: float
    by_stage: Mapping[str, float]
    test: tuple[float, ...]
    valid: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean test accuracy over the fresh seeds."""
        return statistics.mean(self.test)


class Lines(Silent):
    """Shows what stages say."""

    def line(self, text: str) -> None:
        """Print one line."""
        print(f"    {text}", flush=True)


def common(asked: argparse.Namespace) -> list[str]:
    """Return what both sides and the winners share."""
    return [
        *("data=fashion_mnist", f"data.train_size={asked.images}", "model=lenet", "optimizer=momentum"),
        f"trainer.epochs={asked.epochs}",
    ]


def search(option: str, name: str, seed: int, asked: argparse.Namespace, *words: str) -> Path:
    """Run a study from wherever it stands to its end, and return its folder."""
    here = (f"seed={seed}", f"study.name={name}", "study.seeds=1", "tracker=none", f"launcher.workers={asked.workers}")
    outcome = run_study([f"+study={option}", *common(asked), *here, "~space", *SPACE, *words], observer=Lines())
    if isinstance(outcome, RecipeOutcome) and outcome.failed:
        raise SystemExit(outcome.answer)
    return outcome.folder


def random_search(repeat: int, asked: argparse.Namespace) -> tuple[Mapping[str, Any], float, dict[str, float]]:
    """Return the winner of a random search, its score and the epochs that it took."""
    name = f"random_{repeat}"
    words = ("sampler=random", "pruner=none", f"budget.points={asked.points}", "extend.edges=false")
    search("search", name, 100 * repeat, asked, *words)
    table = table_of(name)
    best = complete_points(table)[0]
    return dict(best.params), best.mean or math.nan, {"search": counts(table)["epochs"]}


def recipe(repeat: int, asked: argparse.Namespace) -> tuple[Mapping[str, Any], float, dict[str, float]]:
    """Return the winner of a recipe up to the stage `fine`, its score and the epochs by stage."""
    folder = search("recipe", f"recipe_{repeat}", 100 * repeat, asked, f"stage=[{STAGES}]")
    stages = read_study(folder)["stages"]
    spent = {name: float(f["numbers"].get("epochs", f["numbers"].get("passes", 0))) for name, f in stages.items()}
    handed = stages["fine"]["handed"]
    return handed["candidates"][0], handed["searched_score"], {name: each for name, each in spent.items() if each}


def fresh(job: tuple[Path, list[str], Mapping[str, Any], int]) -> dict[str, float]:
    """Train a winner on a fresh seed and test it; kept in a file."""
    file, words, winner, seed = job
    if not file.exists():
        found = trained([*words, "trainer.test=true"], winner, seed)
        file.write_text(json.dumps({"params": winner, "seed": seed, **(found or {"test/acc": 0.0, "valid/acc": 0.0})}))
    kept: dict[str, float] = json.loads(file.read_text())
    return kept


def run(repeat: int, asked: argparse.Namespace, pool: ProcessPoolExecutor) -> dict[str, Side]:
    """Search both ways and train both winners again."""
    sides = {}
    for name, way in (("recipe", recipe), ("random", random_search)):
        winner, score, spent = way(repeat, asked)
        seeds = range(FRESH + 100 * repeat, FRESH + 100 * repeat + SEEDS)
        jobs = [(Path.cwd() / f"{name}_{repeat}_{seed}.json", common(asked), winner, seed) for seed in seeds]
        found = list(pool.map(fresh, jobs))
        test, valid = (tuple(each[f"{part}/acc"] for each in found) for part in ("test", "valid"))
        sides[name] = Side(winner, score, math.fsum(spent.values()), spent, test, valid)
        print(f"  repeat {repeat}, {name}: {sides[name]}", flush=True)
    return sides


def verdict(repeats: Sequence[Mapping[str, Side]]) -> str:
    """Return both requirements with their numbers."""
    means = {name: [sides[name].mean for sides in repeats] for name in ("recipe", "random")}
    of_random = means["random"] if len(repeats) > 1 else repeats[0]["random"].test
    error = statistics.stdev(of_random) / math.sqrt(len(of_random))
    least = statistics.mean(means["random"]) - error
    ours = statistics.mean(means["recipe"])
    share = sum(sides["recipe"].epochs for sides in repeats) / sum(sides["random"].epochs for sides in repeats)
    return (
        f"- {'met' if ours >= least else 'NOT MET'}: recipe {ours:.4f}, random search "
        f"{statistics.mean(means['random']):.4f} with a standard error of {error:.4f}\n"
        f"- {'met' if share <= SHARE else 'NOT MET'}: {share:.3f} of random search's epochs, {SHARE:.3f} allowed\n"
    )


def markdown(repeats: Sequence[Mapping[str, Side]]) -> str:
    """Return the table and the verdicts."""
    text = (
        "| repeat | side | epochs | winner | searched | valid, fresh seeds | test, fresh seeds |\n" + "|---" * 7 + "|\n"
    )
    for repeat, sides in enumerate(repeats):
        for name, side in sides.items():
            winner = ", ".join(f"{key} {value:.3g}" for key, value in side.winner.items())
            spread = f"{side.mean:.4f} ± {statistics.stdev(side.test):.4f}"
            valid = f"{statistics.mean(side.valid):.4f}"
            text += f"| {repeat} | {name} | {side.epochs:.1f} | {winner} | {side.searched:.4f} | {valid} | {spread} |\n"
    return f"{text}\n{verdict(repeats)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    with chdir(asked.out), ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        repeats = [run(repeat, asked, pool) for repeat in range(asked.repeats)]
        Path("bench_recipe.md").write_text(markdown(repeats))
        raw = [{name: asdict(side) for name, side in sides.items()} for sides in repeats]
        Path("bench_recipe.json").write_text(json.dumps(raw, indent=1))
    print(markdown(repeats))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
