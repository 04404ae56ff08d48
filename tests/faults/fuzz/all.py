# ruff: noqa: E501 - pieces and tables are read as tables
"""Fuzz every entry point and print a table: ``python -m tests.faults.fuzz.all --examples 2000 --seed 1``."""

import argparse
import subprocess
import sys
import time
import traceback

from tests.faults.fuzz.entries import ENTRIES
from tests.faults.fuzz.harness import fuzz, lowered_limits, peak_mib

HEAD = "| entry point | examples | accepted | refused | different refusals | failures | processor time | longest | peak memory |"


def _one(name: str, examples: int, seed: int) -> int:
    """Fuzz one entry point in this process; print its row."""
    (entry,) = (each for each in ENTRIES if each.name == name)
    before, failures = peak_mib(), 0
    with lowered_limits():
        try:
            tally = fuzz(entry, examples, seed)
            kinds = len({refusal[:24] for refusal in tally.said})
            row = [tally.examples, tally.accepted, tally.refused, kinds, 0]
            longest = f"{1000 * tally.longest_sec:.0f} ms"
        except BaseException:
            traceback.print_exc()
            row, longest, failures = ["", "", "", "", 1], "", 1
    cells = [name, *row, f"{time.process_time():.0f} s", longest, f"{before:.0f} + {peak_mib() - before:.0f} MiB"]
    print("|", " | ".join(map(str, cells)), "|", flush=True)
    return failures


def main() -> int:
    """Fuzz each entry point in a process of its own, whose peak of memory is its own too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[each.name for each in ENTRIES])
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    if given.here:
        return max(_one(name, given.examples, given.seed) for name in given.only)
    print(f"Seed {given.seed}.\n\n{HEAD}\n|{'---|' * HEAD.count(' | ')}---|", flush=True)
    again = [sys.executable, "-m", "tests.faults.fuzz.all", "--here", "--seed", str(given.seed)]
    runs = [subprocess.run([*again, "--examples", str(given.examples), "--only", name]) for name in given.only]
    return max(run.returncode for run in runs)


if __name__ == "__main__":
    sys.exit(main())
