# ruff: noqa: E501 - pieces and tables are read as tables
"""Whole processes with drawn command lines: ``python -m tests.faults.fuzz.processes --count 300 --seed 1``.

Every one is refused in a line or does what it says: no traceback, an exit code that is documented, 5 s of processor time
at most, and a refused one leaves nothing in its folder and prints nothing to standard output. The same command goes on
where it was ended, and tries again what failed.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.faults.fuzz.mutate import mutated
from tests.faults.fuzz.results import add, default_file, rows_of
from tests.faults.fuzz.spaces import WORD_PIECES
from tests.faults.fuzz.stored import yaml_texts
from tests.faults.fuzz.studies import STUDY
from tests.faults.fuzz.words import OVERRIDES

CODES = {0, 1, 2, 3, 130}
MOST_SEC = 5
ASLEEP_SEC = 300
COMMANDS = [
    ["list"], ["status", "s"], ["report", "s"], ["show", "s"], ["replay", "s/0/0"], ["replay", "../x/0/0", "--check"], ["skip", "s", "3"],
    ["tell", "s", "0/0", "y=1"], ["try", "s", "x=1"], ["sync", "s"], ["continue", "s/0/0"], ["curvature", "s/0/0"], ["--help", "model"],
    ["--cfg", "job"], ["doctor"], ["ui", "--nothing"], ["new"],
]  # fmt: skip
ENVIRONMENT = [{}, {}, {"LC_ALL": "C"}, {"COLUMNS": "0"}, {"TERM": "dumb"}, {"OMP_NUM_THREADS": "x"}, {"HOME": "/dev/null/nowhere"}, {"MLFLOW_TRACKING_URI": "nonsense://x"}]  # fmt: skip


def _drawn(count: int, number: int) -> list[tuple[list[str], str]]:
    """Return command lines, each with the text of a study's file that it may name."""
    words = st.one_of(
        OVERRIDES.map(lambda each: ["--cfg", "job", *each]),
        OVERRIDES.map(lambda each: ["+study=nothing", *each]),
        st.lists(
            mutated(st.sampled_from(COMMANDS).map(" ".join), WORD_PIECES).map(str.split), min_size=1, max_size=1
        ).map(lambda each: each[0]),
        st.sampled_from(COMMANDS),
        st.just(["--config-dir", "conf", "--cfg", "job", "+study=mine"]),
    )
    found: list[tuple[list[str], str]] = []

    @seeded(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(words, yaml_texts(st.just(STUDY)))
    def draw(line: list[str], study: str) -> None:
        found.append((line, study))

    draw()
    return found[:count]


def _is_passed_on(word: str) -> bool:
    return "\0" not in word and not any("\ud800" <= sign <= "\udfff" for sign in word)


def _tried(line: list[str], study: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run one command line; return its exit code, its processor seconds and what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        place = Path(folder) / "conf" / "study" / "mine.yaml"
        place.parent.mkdir(parents=True)
        place.write_bytes(f"# @package _global_\n{study}".encode("utf-8", "surrogatepass"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            run = subprocess.run(
                [sys.executable, "-m", "hpsearch", *line], cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                capture_output=True, timeout=ASLEEP_SEC, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (30, 30)),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"code": None, "took": 0.0, "wrong": f"sleeps for {ASLEEP_SEC} s"}
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        left = sorted(str(each.relative_to(folder)) for each in Path(folder).rglob("*"))
    wrong, errors = _wrong(run, took, left), run.stderr.decode("utf-8", "replace")
    return {"code": run.returncode, "took": took, "wrong": ", ".join(wrong) + (f": {errors[-300:]}" if wrong else "")}


def _wrong(run: subprocess.CompletedProcess[bytes], took: float, left: list[str]) -> list[str]:
    """Return what is wrong with a process that ended."""
    wrong = []
    if b"Traceback (most recent" in run.stderr + run.stdout:
        wrong.append("a traceback")
    if run.returncode not in CODES:
        wrong.append(f"exit code {run.returncode}")
    if run.returncode == 2:
        wrong += [f"left {left}"] if left != ["conf", "conf/study", "conf/study/mine.yaml"] else []
        wrong += ["partial output"] if run.stdout else []
        wrong += ["no reason"] if b"hpsearch: " not in run.stderr else []
        wrong += [f"took {took:.1f} s"] if took > MOST_SEC else []
    return wrong


def _table(rows: list[dict[str, Any]], seed: int) -> str:
    codes = Counter(row["code"] for row in rows)
    by_code = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str))
    wrong, longest = sum(bool(row["wrong"]) for row in rows), max((row["took"] for row in rows), default=0.0)
    head = "| processes | by exit code | failures | longest, processor time |\n|---|---|---|---|"
    return f"Seed {seed}.\n\n{head}\n| {len(rows)} | {by_code} | {wrong} | {longest:.1f} s |"


def main() -> int:
    """Run them one after the other and print a table; those that passed before are not run again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="a file for the results so far")
    given_ = parser.parse_args()
    file = given_.results or default_file("fuzz-processes", given_.seed)
    passed = {row["index"] for row in rows_of(file) if not row["wrong"]}
    for index, (line, study) in enumerate(_drawn(given_.count, given_.seed)):
        if index not in passed:
            words = [word for word in line if _is_passed_on(word) and len(word) < 2**17 - 1]
            environment = random.Random(f"{given_.seed}-{index}").choice(ENVIRONMENT)
            row = {"index": index, "words": words, "environment": environment, **_tried(words, study, environment)}
            add(file, row)
            print(
                f"{index + 1} of {given_.count}: {row['code']}, {row['took']:.1f} s {row['wrong'] and (words, row['wrong'])}",
                file=sys.stderr,
                flush=True,
            )
    rows = list({row["index"]: row for row in rows_of(file)}.values())
    print(_table(rows, given_.seed))
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
