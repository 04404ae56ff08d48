# ruff: noqa: E501 - pieces and tables are read as tables
"""Fuzz every entry point and print a table: ``python -m tests.faults.fuzz.all --examples 2000 --seed 1``.

Each entry point is fuzzed in a process of its own, `PIECE` examples at a time. The same command goes on where it was
ended, and tries again what failed.
"""

import argparse
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.fuzz.entries import ENTRIES
from tests.faults.fuzz.harness import fuzz, lowered_limits, peak_mib
from tests.faults.fuzz.results import add, default_file, rows_of

PIECE = 250
HEAD = "| entry point | examples | accepted | refused | different refusals | failures | processor time | longest | peak memory |"


def _tried(name: str, piece: int, examples: int, seed: int, pending: Path) -> dict[str, Any]:
    """Fuzz one entry point in this process; return what came of it."""
    (entry,) = (each for each in ENTRIES if each.name == name)
    before, began = peak_mib(), time.process_time()
    row: dict[str, Any] = {"name": name, "piece": piece, "before": before}
    try:
        tally = fuzz(entry if piece == 0 else replace(entry, found=()), examples, 1000 * seed + piece, pending)
        row |= {"examples": tally.examples, "accepted": tally.accepted, "refused": tally.refused}
        row |= {"said": sorted({refusal[:24] for refusal in tally.said}), "longest": tally.longest_sec}
    except BaseException:
        row["fault"] = traceback.format_exc()
    return {**row, "took": time.process_time() - began, "peak": peak_mib()}


def _missing(name: str, examples: int, file: Path) -> list[int]:
    done = {row["piece"] for row in rows_of(file) if row["name"] == name and "fault" not in row}
    return [piece for piece in range(-(-examples // PIECE)) if piece not in done]


def _try_here(name: str, examples: int, seed: int, file: Path) -> None:
    with lowered_limits():
        for piece in _missing(name, examples, file):
            row = _tried(name, piece, min(PIECE, examples - piece * PIECE), seed, _pending(file))
            add(file, row)
            print(name, piece, row.get("fault", "passed"), file=sys.stderr, flush=True)


def _pending(file: Path) -> Path:
    return file.with_suffix(".pending")


def _try_there(name: str, given: argparse.Namespace) -> None:
    """Fuzz in another process; where it was ended, the example that was tried is the failure."""
    words = ["--here", "--only", name, "--seed", str(given.seed), "--examples", str(given.examples)]
    code = subprocess.run([
        sys.executable,
        "-m",
        "tests.faults.fuzz.all",
        *words,
        "--results",
        str(given.results),
    ]).returncode
    if code:
        piece = _missing(name, given.examples, given.results)[0]
        fault = f"ended with {code} at {_pending(given.results).read_text()}"
        add(given.results, {"name": name, "piece": piece, "fault": fault})
        print(name, piece, fault, file=sys.stderr, flush=True)


def _cells(name: str, rows: list[dict[str, Any]]) -> list[Any]:
    newest = {row["piece"]: row for row in rows if row["name"] == name}.values()
    passed = [row for row in newest if "fault" not in row]
    if not passed:
        return [name, *[0] * 4, len(newest), "", "", ""]
    counts = [sum(row[kind] for row in passed) for kind in ("examples", "accepted", "refused")]
    said = len(set().union(*(row["said"] for row in passed)))
    took, longest = sum(row["took"] for row in passed), max(row["longest"] for row in passed)
    before, peak = min(row["before"] for row in passed), max(row["peak"] for row in passed)
    times = [f"{took:.0f} s", f"{1000 * longest:.0f} ms", f"{before:.0f} + {peak - before:.0f} MiB"]
    return [name, *counts, said, len(newest) - len(passed), *times]


def _table(names: list[str], rows: list[dict[str, Any]], seed: int) -> str:
    lines = ["| " + " | ".join(map(str, _cells(name, rows))) + " |" for name in names]
    return "\n".join([f"Seed {seed}.", "", HEAD, f"|{'---|' * (HEAD.count('|') - 1)}", *lines])


def main() -> int:
    """Fuzz each entry point in a process of its own, whose peak of memory is its own too."""
    names = [each.name for each in ENTRIES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=names, choices=names)
    parser.add_argument("--results", type=Path, help="a file for the results so far")
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    given.results = given.results or default_file("fuzz", given.seed)
    for name in given.only:
        if given.here:
            _try_here(name, given.examples, given.seed, given.results)
        elif _missing(name, given.examples, given.results):
            _try_there(name, given)
    if given.here:
        return 0
    print(_table(given.only, rows_of(given.results), given.seed))
    return int(any(_missing(name, given.examples, given.results) for name in given.only))


if __name__ == "__main__":
    sys.exit(main())
