"""What the driver, the workers and the tracking cost, beside a bare torch loop that does the same work.

    python -m tests.benchmarks.bench_overhead [--pairs 5] [--part trial|sweep] [WORD ...]

1. One trial: LeNet on Fashion-MNIST, batch 128, 2 epochs, one thread; driver and MLflow tracking included, process
   start excluded. Wanted: at most 1.05 of the bare loop.
2. A sweep: 8 learning rates x 1 epoch x 20,000 images, from the first ask to the last tell with the MLflow store open
   and two started workers of one thread each. Wanted: at most 0.58 of one bare one-thread loop over the same sweep;
   the bare loop with two threads is printed beside it. The start of two workers is printed too (wanted: at most 4 s).

Pairs alternate in one run; the figures are medians. Further words are overrides of both sides, such as
``data.train_size=300`` for a short look. Every figure is printed as JSON at the end.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, chdir

import torch
from torch import nn

from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.data.base import Splits
from hpsearch.progress.display import Silent
from hpsearch.search.storage import Store
from hpsearch.study.plan import plan_search
from hpsearch.study.search import driver_of
from hpsearch.study.session import StudySession
from hpsearch.study.workers import Workers
from tests.benchmarks import bare_loop

LEARNING_RATES = (0.003, 0.0056, 0.01, 0.018, 0.032, 0.056, 0.1, 0.18)
COMMON = (
    "+study=lr_sweep",
    "data=fashion_mnist",
    "model=lenet",
    "optimizer=sgd",
    "data.batch_size=128",
    "study.seeds=1",
)
TRIAL = (*COMMON, "trainer.epochs=2", "space.optimizer.lr=choice(0.05)", "launcher.workers=1")
SWEEP = (
    *COMMON,
    "trainer.epochs=1",
    "data.train_size=20000",
    f"space.optimizer.lr=choice({', '.join(map(str, LEARNING_RATES))})",
    "launcher.workers=2",
)


class Ours:
    """Runs studies of one configuration with workers that are already started and have their data."""

    def __init__(self, words: Sequence[str], stack: ExitStack) -> None:
        self._words = (*words, "launcher.threads=1")
        search = plan_search(compose(self._words))
        self._number = 0
        workers = stack.enter_context(Workers(search.composition))
        self.launcher = workers.launcher
        started = time.perf_counter()
        configs = search.representatives()
        workers.start(next(iter(configs.values())))
        self.start_sec = self._until_ready(started)
        for config in configs.values():
            from hpsearch.trial.build import preflight

            for _ in range(self.launcher.slots):
                self.launcher.call(preflight, config)

    def _until_ready(self, started: float) -> float:
        while not all(slot.ready for slot in self.launcher._slots):
            self.launcher.poll(0.01)
        return time.perf_counter() - started

    def seconds(self) -> float:
        """Return the time of one study, from its first ask to the last tell and the last event sent."""
        self._number += 1
        composition = compose([*self._words, f"study.name=lr_sweep.{self._number}"])
        search = plan_search(composition)
        store: Store = build("storage", composition.config["storage"])
        with StudySession(composition, Silent(), self.launcher) as session:
            session.open(search.space.to_dict())
            session.tracker.flush(60)
            with driver_of(search, store, session) as driver:
                started = time.perf_counter()
                driver.resume()
                outcome = driver.run()
                seconds = time.perf_counter() - started
            assert session.tracker.flush(60)
        assert outcome.why.endswith("done"), outcome
        return seconds


def bare(config: dict, data: Splits, learning_rates: tuple[float, ...]) -> None:
    """Train the same models one after the other in a bare loop."""
    for rate in learning_rates:
        model = build("model", config["model"], in_shape=data.in_shape, num_outputs=data.num_outputs)
        bare_loop.train(
            model,
            torch.optim.SGD(model.parameters(), lr=rate),
            nn.CrossEntropyLoss(),
            (data.train.x, data.train.y),
            (data.valid.x, data.valid.y),
            128,
            config["trainer"]["epochs"],
            config["trainer"]["eval_batch_size"],
        )


def timed(function: Callable[[], None], threads: int) -> float:
    """Return the seconds that a function takes with so many threads."""
    torch.set_num_threads(threads)
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def compare(words: Sequence[str], rates: tuple[float, ...], pairs: int, two_threads: bool) -> dict[str, object]:
    """Time ours and the bare loop in alternation."""
    with ExitStack() as stack:
        ours = Ours(words, stack)
        config = compose(words).trial({}, 0).config
        data = build("data", config["data"]).load()
        rows = []
        for pair in range(pairs):
            sides = {"bare_sec": lambda: timed(lambda: bare(config, data, rates), 1), "ours_sec": ours.seconds}
            order = list(sides) if pair % 2 == 0 else list(sides)[::-1]
            row = {name: sides[name]() for name in order}
            if two_threads:
                row["bare_two_threads_sec"] = timed(lambda: bare(config, data, rates), 2)
            row["ratio"] = row["ours_sec"] / row["bare_sec"]
            rows.append({name: round(row[name], 3) for name in sorted(row)})
            print(f"pair {pair + 1}: {rows[-1]}", flush=True)
    medians = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    of_medians = round(medians["ours_sec"] / medians["bare_sec"], 3)
    return {"start_sec": round(ours.start_sec, 2), "pairs": rows, "median": medians, "ratio_of_medians": of_medians}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for and print their figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--part", choices=("trial", "sweep"), default=None)
    parser.add_argument("words", nargs="*", metavar="WORD", help="Hydra overrides of both sides")
    asked = parser.parse_args(arguments)
    results: dict[str, object] = {"cores": len(os.sched_getaffinity(0)), "torch": torch.__version__}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        if asked.part != "sweep":
            results["trial"] = compare([*TRIAL, *asked.words], (0.05,), asked.pairs, two_threads=False)
        if asked.part != "trial":
            results["sweep"] = compare([*SWEEP, *asked.words], LEARNING_RATES, asked.pairs, two_threads=True)
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
