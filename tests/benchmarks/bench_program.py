"""What a trial costs that is a program, over the program run by itself: side by side, in turns.

A program is run alone and as a trial of one worker, as often as is asked, each of several lengths. Printed is the time
that a trial takes from its start to its end, as it is on record, less the time of the program alone: medians, with the
bounds that hold: .15 s, or 2 % of a long one.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hpsearch import load_trials, run_search
from hpsearch.progress.display import Silent

PROGRAM = """
import sys, time
end = time.perf_counter() + float(sys.argv[1])
epoch, total = 0, 0
while True:
    stop = min(end, time.perf_counter() + 0.1)
    while time.perf_counter() < stop:
        total += sum(range(1000))
    epoch += 1
    print(f"epoch {epoch} valid/acc: {total % 997}")
    if time.perf_counter() >= end:
        break
"""
MOST_SEC, MOST_SHARE = 0.15, 0.02


def alone(seconds: float) -> float:
    """Return how long the program takes by itself."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "program.py", str(seconds)], check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - started


def as_trials(seconds: float, runs: int) -> list[float]:
    """Return how long each of several trials takes; the first one, whose worker still imports, is left out."""
    name = f"bench-{seconds:g}-{time.time_ns()}"
    run_search(
        [sys.executable, "program.py", str(seconds), "{n}"], space={"n": f"range(0, {runs + 1})"}, sampler="grid",
        pruner="none", tracker="none", name=name, overrides=["launcher.workers=1"], observer=Silent(),
    )  # fmt: skip
    return load_trials(name).sort_values("point")["duration_sec"].tolist()[1:]


def compare(seconds: float, runs: int) -> dict[str, float]:
    """Return the medians of both, what a trial takes more, and the most that it may."""
    by_itself = statistics.median(alone(seconds) for _ in range(runs))
    trial = statistics.median(as_trials(seconds, runs))
    bound = max(MOST_SEC, MOST_SHARE * by_itself)
    figures = {"alone_sec": by_itself, "trial_sec": trial, "over_sec": trial - by_itself, "bound_sec": bound}
    return {name: round(each, 4) for name, each in figures.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0, 2, 10])
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args(arguments)
    held = True
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("program.py").write_text(PROGRAM, encoding="utf-8")
        for seconds in asked.seconds:
            figures = compare(seconds, asked.runs)
            print(json.dumps({"program_sec": seconds, **figures}), flush=True)
            held = held and figures["over_sec"] <= figures["bound_sec"]
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
