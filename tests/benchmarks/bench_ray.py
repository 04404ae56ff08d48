"""A study by ``launcher=ray`` beside one by worker processes, and beside Ray Tune: side by side, in turns.

    python -m tests.benchmarks.bench_ray [--part sleep train tune] [--rounds 3] [--quick]

Every command runs on this machine with two workers of one thread each, and a Ray cluster of its own where it has one.

- ``sleep``: 12 trials that sleep for 5 s, a report each second; ``train``: LeNet at 8 rates for two epochs of 20,000
  images of Fashion-MNIST. Each by worker processes and by Ray. Wanted: Ray has .85 of the throughput or more.
- ``tune``: LeNet at 8 rates for one epoch of 20,000 images, by ``launcher=ray`` and by three forms of a program for Ray
  Tune, see `tests.benchmarks.tune_sweep`; that needs ``pip install 'ray[tune]'``. Wanted: at most half of Tune's time.

``command_sec`` is the time of the whole command, ``start_sec`` from its start to the first epoch's report of the first
trial, ``trials_sec`` from the first ask to the last tell (of Tune: from the start of its first trial to the end of its
last). Medians are compared. ``--quick`` has short trials, once: it shows that all runs, not how fast. Exit code 1:
something wanted does not hold. All take some six minutes on two idle cores.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
ROOT = Path(__file__).parents[2]
FORMS = ("loader", "tensors", "reused")
THROUGHPUT, OF_TUNE = 0.85, 0.5

SEARCH = ("study.seeds=1", "study.confirm=0", "sampler=grid", "sampler.points=null", "tracker=none")
"""One seed, no confirmation of the best, as Tune's program."""
SLEEP = ("+study=search", "trainer=own", "trainer._target_=tests.benchmarks.sleeping_trial.sleeps", "plugins=[tests]")
SLEEP += ("objective=valid_loss", "pruner=none")
LENET = ("+study=lr_sweep", "model=lenet", "data=fashion_mnist", "objective.reduce=last")
"""Evaluated before the first epoch and after each; by default the last twentieth of the updates has two more."""

Figures = dict[str, float]


def timed(words: Sequence[str], folder: Path) -> tuple[str, float, float]:
    """Run a program of Python's in a folder of its own.

    Returns:
        What it printed, when it was started, and its time.
    """
    folder.mkdir(parents=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # names of sockets are made of it
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "RAY_TMPDIR": short}
        started, clock = time.time(), time.perf_counter()
        ended = subprocess.run(
            [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - clock
    if ended.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {ended.returncode}\n{(ended.stdout + ended.stderr)[-3000:]}")
    return ended.stdout, started, took


def study(launcher: str, words: Sequence[str], folder: Path) -> Figures:
    """Return the figures of a study by a launcher."""
    words = ["-m", "hpsearch", *words, *SEARCH, f"launcher={launcher}", "launcher.workers=2", "study.name=bench"]
    _, started, took = timed(words, folder)
    lines = [
        json.loads(line)
        for path in (folder / "studies" / "bench" / "events").glob("[0-9]*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    epochs = [line["time"] for line in lines if line["event"] == "report" and line["epoch"] >= 1]
    asked = [line["time"] for line in lines if line["event"] == "spec"]
    told = [line["time"] for line in lines if line["event"] == "state"]
    return {"start_sec": min(epochs) - started, "trials_sec": max(told) - min(asked), "command_sec": took}


def tune(form: str, images: int, folder: Path) -> Figures:
    """Return the figures of a form of the program for Ray Tune."""
    words = ["-m", "tests.benchmarks.tune_sweep", form, json.dumps(RATES), str(images), str(folder / "results")]
    printed, _, took = timed(words, folder)
    return {**json.loads(printed.splitlines()[-1]), "command_sec": took}


def sleep_words(trials: int, epochs: int) -> list[str]:
    """Return the words of trials that sleep for a second an epoch."""
    return [*SLEEP, f"space.args.x=range(0, {trials})", f"args.epochs={epochs}"]


def train_words(images: int, epochs: int) -> list[str]:
    """Return the words of the sweep of LeNet."""
    rates = ", ".join(map(str, RATES))
    return [*LENET, f"space.optimizer.lr=choice({rates})", f"data.train_size={images}", f"trainer.epochs={epochs}"]


def in_turns(part: str, runs: Mapping[str, Callable[[Path], Figures]], rounds: int, folder: Path) -> dict[str, Figures]:
    """Run each of several commands once a round, each in a folder; print every run, and return the medians."""
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name, run in runs.items():
            figures = run(folder / part / f"{name.replace(' ', '_')}{turn}")
            found[name].append(figures)
            print(json.dumps({"part": part, "run": name, **_rounded(figures)}), flush=True)
    medians = {name: {key: statistics.median(each[key] for each in of) for key in of[0]} for name, of in found.items()}
    for name, figures in medians.items():
        print(f"| {part} | {name} | " + " | ".join(f"{key} {value:.4g}" for key, value in figures.items()) + " |")
    return medians


def _rounded(figures: Figures) -> Figures:
    return {name: round(value, 3) for name, value in figures.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=("sleep", "train", "tune"), default=["sleep", "train", "tune"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="short trials, once")
    asked = parser.parse_args(arguments)
    rounds, images = (1, 1000) if asked.quick else (asked.rounds, 20_000)
    held = True
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        kinds = {"sleep": sleep_words(*((4, 1) if asked.quick else (12, 5))), "train": train_words(images, 2)}
        for part in [part for part in asked.part if part in kinds]:
            runs = {launcher: partial(study, launcher, kinds[part]) for launcher in ("processes", "ray")}
            medians = in_turns(part, runs, rounds, folder)
            ratio = medians["processes"]["trials_sec"] / medians["ray"]["trials_sec"]
            print(f"throughput of Ray over processes, {part}: {ratio:.3f} (wanted {THROUGHPUT})", flush=True)
            held &= ratio >= THROUGHPUT
        if "tune" in asked.part and importlib.util.find_spec("tensorboardX"):
            runs = {"ray": partial(study, "ray", train_words(images, 1))}
            runs |= {f"tune {form}": partial(tune, form, images) for form in FORMS}
            medians = in_turns("tune", runs, rounds, folder)
            for form in FORMS:
                shares = [medians["ray"][key] / medians[f"tune {form}"][key] for key in ("command_sec", "trials_sec")]
                print(f"hpsearch over Tune {form}: command {shares[0]:.3f}, trials {shares[1]:.3f} (wanted {OF_TUNE})")
                held &= form == "reused" or max(shares) <= OF_TUNE
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
