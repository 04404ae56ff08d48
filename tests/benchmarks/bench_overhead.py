"""What the driver, the workers and the tracking cost, beside a bare torch loop that does the same work.

    python -m tests.benchmarks.bench_overhead [--pairs 5] [--part lenet|mlp|untracked|sweep] [WORD ...]

1. ``lenet``: a trial of LeNet on Fashion-MNIST, batch 128, 2 epochs. Wanted: at most 1.03 of the bare loop.
2. ``mlp``: 24 trials of an MLP on digits, 30 epochs. Wanted: at most 1.65; ``untracked``, without MLflow: 1.15.
3. ``sweep``: 8 learning rates x 1 epoch x 20,000 images by two workers. Wanted: at most 0.54 of a bare loop of one
   thread over the same sweep; the bare loop with two threads is printed beside it.

1 and 2 are processor seconds, of the driver, its worker of one thread and the sender, of a whole study: its
configuration, its folder and its plan, from the first ask until everything is sent. 3 is time, from the first ask to
the last tell with the MLflow store open. The start of processes is left out, and printed: until the workers have
started (wanted: at most 4 s).

The first run of each side is not counted: torch loads parts of itself at first use. Then every run of ours stands
between two of the bare loop, and its ratio is to their mean, so that a machine that becomes slower meanwhile changes
little. Figures are medians of ratios, with the least and the largest. Further words are overrides of both sides, such
as ``data.train_size=300`` for a short look. Every figure is printed as JSON at the end.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, chdir
from functools import partial

import psutil
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
from hpsearch.trial.evaluations import end_steps
from tests.benchmarks import bare_loop

LEARNING_RATES = (0.003, 0.0056, 0.01, 0.018, 0.032, 0.056, 0.1, 0.18)
COMMON = (
    "+study=lr_sweep",
    "data=fashion_mnist",
    "model=lenet",
    "optimizer=sgd",
    "data.batch_size=128",
    "study.seeds=1",
    "study.confirm=0",
)
LENET = (*COMMON, "trainer.epochs=2", "space.optimizer.lr=choice(0.05)", "launcher.workers=1")
MLP_RATES = tuple(round(0.001 * 1.3**step, 5) for step in range(24))
MLP = (
    "+study=lr_sweep",
    "study.seeds=1",
    "study.confirm=0",
    "optimizer=sgd",
    "trainer.epochs=30",
    f"space.optimizer.lr=choice({', '.join(map(str, MLP_RATES))})",
    "launcher.workers=1",
)
SWEEP = (
    *COMMON,
    "trainer.epochs=1",
    "data.train_size=20000",
    f"space.optimizer.lr=choice({', '.join(map(str, LEARNING_RATES))})",
    "launcher.workers=2",
)
PARTS = {
    "lenet": (LENET, (0.05,), 1.03),
    "mlp": (MLP, MLP_RATES, 1.65),
    "untracked": ((*MLP, "tracker=none"), MLP_RATES, 1.15),
    "sweep": (SWEEP, LEARNING_RATES, 0.54),
}
"""Words, learning rates, and the ratio that is wanted."""


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

    def processor_seconds(self) -> float:
        """Return the processor seconds of one study, of driver, sender and workers, until everything is sent."""
        before = self._processor_seconds()
        self.seconds()
        return self._processor_seconds() - before

    def _processor_seconds(self) -> float:
        workers = (psutil.Process(slot.worker.pid).cpu_times() for slot in self.launcher._slots)
        return time.process_time() + sum(each.user + each.system for each in workers)

    def seconds(self) -> float:
        """Return the time of one study, from its first ask to the last tell."""
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
    batch_size, epochs = config["data"]["batch_size"], config["trainer"]["epochs"]
    steps_per_epoch = -(-len(data.train) // batch_size)
    ends = {step for step in end_steps(epochs * steps_per_epoch) if step % steps_per_epoch}
    for rate in learning_rates:
        model = build("model", config["model"], in_shape=data.in_shape, num_outputs=data.num_outputs)
        bare_loop.train(
            model,
            torch.optim.SGD(model.parameters(), lr=rate),
            nn.CrossEntropyLoss(),
            (data.train.x, data.train.y),
            (data.valid.x, data.valid.y),
            batch_size,
            epochs,
            config["trainer"]["eval_batch_size"],
            ends,
        )


def timed(function: Callable[[], None], threads: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that a function takes with so many threads."""
    torch.set_num_threads(threads)
    started = clock()
    function()
    return clock() - started


def compare(words: Sequence[str], rates: tuple[float, ...], pairs: int, by_processor: bool) -> dict[str, object]:
    """Time ours and the bare loop in alternation."""
    clock = time.process_time if by_processor else time.perf_counter
    with ExitStack() as stack:
        ours = Ours(words, stack)
        config = compose(words).trial({}, 0).config
        data = build("data", config["data"]).load()
        once = partial(bare, config, data, rates)
        run = ours.processor_seconds if by_processor else ours.seconds
        timed(once, 1), run()
        rows, before = [], timed(once, 1, clock)
        for pair in range(pairs):
            row = {"ours_sec": run()}
            after = timed(once, 1, clock)
            row["bare_sec"], before = (before + after) / 2, after
            if not by_processor:
                row["bare_two_threads_sec"] = timed(once, 2)
            row["ratio"] = row["ours_sec"] / row["bare_sec"]
            rows.append({name: round(row[name], 3) for name in sorted(row)})
            print(f"pair {pair + 1}: {rows[-1]}", flush=True)
    ratios = [row["ratio"] for row in rows]
    return {
        "start_sec": round(ours.start_sec, 2),
        "pairs": rows,
        "median": {name: statistics.median(row[name] for row in rows) for name in rows[0]},
        "least_and_largest_ratio": [min(ratios), max(ratios)],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for and print their figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("words", nargs="*", metavar="WORD", help="Hydra overrides of both sides")
    asked = parser.parse_args(arguments)
    results: dict[str, object] = {"cores": len(os.sched_getaffinity(0)), "torch": torch.__version__}
    for part in asked.part:
        words, rates, wanted = PARTS[part]
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            found = compare([*words, *asked.words], rates, asked.pairs, by_processor=part != "sweep")
        results[part] = {**found, "wanted": wanted}
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
