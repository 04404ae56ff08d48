"""Does the recipe end with a good setting, whatever the split?

    python -m tests.benchmarks.check_recipe [--out FOLDER] [--splits 5] [--workers 2] [WORD ...]

The whole recipe on digits, or with other words on something else, over so many splits of the data. Wanted: each ends
confirmed, in under 90 seconds with two workers, and the mean test accuracy over the splits is at least .96. What a
kept FOLDER holds already is not trained again, and its seconds are then not the recipe's.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from hpsearch.study.api import run_study
from hpsearch.study.recipe import RecipeOutcome
from hpsearch.study.stages.base import Finding

WANTED, SECONDS = 0.96, 90


def confirmed(split: int, words: Sequence[str]) -> tuple[Finding, float]:
    """Run a recipe on a split; return its confirmation and how long it took."""
    started = time.monotonic()
    outcome = run_study(["+study=recipe", f"data.split_seed={split}", f"study.name=split_{split}", *words])
    assert isinstance(outcome, RecipeOutcome)
    if outcome.failed:
        raise SystemExit(f"split {split}: {outcome.answer}")
    return outcome.findings["confirm"], time.monotonic() - started


def _with_interval(finding: Finding, name: str) -> str:
    """Return a number of the confirmation and its interval, as two cells."""
    value = finding.numbers.get(f"{name}_mean", finding.numbers.get(name, float("nan")))
    return f"{value:.4f} | {finding.numbers[f'{name}_low']:.4f} to {finding.numbers[f'{name}_high']:.4f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 0 where what is wanted holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args(arguments)
    means, times = [], []
    with tempfile.TemporaryDirectory() as folder:
        out = (asked.out or Path(folder)).resolve()
        out.mkdir(parents=True, exist_ok=True)
        with chdir(out):
            print("| split | seconds | test accuracy | 95 % t interval | optimism | interval |\n" + "|---" * 6 + "|")
            for split in range(asked.splits):
                finding, seconds = confirmed(split, [f"launcher.workers={asked.workers}", *asked.words])
                means.append(float(finding.numbers["test_mean"]))
                times.append(seconds)
                said = " | ".join(_with_interval(finding, name) for name in ("test", "optimism"))
                print(f"| {split} | {seconds:.0f} | {said} |", flush=True)
    mean = statistics.mean(means)
    print(f"mean test accuracy {mean:.4f} (wanted {WANTED}), longest {max(times):.0f} s (wanted {SECONDS})")
    return int(mean < WANTED or max(times) > SECONDS)


if __name__ == "__main__":
    raise SystemExit(main())
