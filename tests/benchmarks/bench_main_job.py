"""What a person waits for: the commands of the README from the shell, beside those of an earlier commit, in turns.

    python -m tests.benchmarks.bench_main_job [--runs 5] [--only lr_sweep ...] [--base 6d3aac9 | --base off]

Every command starts in a fresh folder in a warm environment. Measured are the seconds until the answer stands on the
terminal, the seconds until the command has ended, nothing of it runs any more and a second client of MLflow reads
everything, and the processor seconds of all its processes. What the client reads (runs, metric points, parameters, tags
and artifacts) is counted on both sides; fewer than at the base are an error. The processor seconds of `lr_sweep` are
parted too: without tracking, without trials, without workers.

With `--base off` the same command trains its trials one by one beside it (`launcher.fuse=off`): what trials that are
trained as one program are worth. Their training alone is `train_sec`, from the start of the first trial to the end of
the last one.

Printed are JSON lines with the figures of every run, then medians and their ratios.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SEARCHED = ["budget.points=20", "study.confirm=0", "space.optimizer.lr=tag(log, interval(1e-3, 1))"]
COMMANDS: dict[str, tuple[list[str], str]] = {
    "lr_sweep": (["+study=lr_sweep"], "A learning rate of"),
    "trial": (["optimizer.lr=0.05"], "valid/acc"),
    "batch_momentum": (["+study=batch_momentum", "study.confirm=0"], "batch"),
    "lenet": (["+study=search", "model=lenet", "model.kernel_size=3", *SEARCHED], "valid/acc"),
    "recipe": (["+study=recipe"], "report.html"),
    "search": (["+study=search", *SEARCHED, "space.data.batch_size=choice(16, 32, 64, 128)"], "valid/acc"),
}
"""The words of each command, and what its answer begins with or says."""
WANTED = {"lr_sweep": 0.55, "trial": 0.5, "batch_momentum": 0.65, "recipe": 0.65, "search": 0.65, "lenet": 0.65}
"""Of the base's seconds."""
NEW_KEYS = ("study.confirm=",)
"""Beginnings of words that an earlier commit does not know."""
PARTS = {
    "all": ["+study=lr_sweep"],
    "without tracking": ["+study=lr_sweep", "tracker=none"],
    "without tracking, one epoch": ["+study=lr_sweep", "tracker=none", "trainer.epochs=1"],
}
COUNTS = {
    "runs": "select count(*) from runs where lifecycle_stage = 'active'",
    "metric points": "select count(*) from metrics",
    "parameters": "select count(*) from params",
    "tags": "select count(*) from tags",
}


def run(source: Path, words: Sequence[str], answer: str) -> dict[str, float]:
    """Run a command in a fresh folder; return its seconds and what a second client reads afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {**os.environ, "PYTHONPATH": str(source)}
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        answered, printed = None, []
        assert process.stdout
        for line in process.stdout:
            printed.append(line)
            if answered is None and answer in line and not line.startswith(words[0].partition("=")[2] + ":"):
                answered = time.perf_counter() - started
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        while left := _processes_in(folder):
            psutil.wait_procs(left, timeout=0.05)
        ended = time.perf_counter() - started
        if process.returncode or answered is None:
            raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{''.join(printed[-20:])}")
        return {
            "answer_sec": round(answered, 2),
            "end_sec": round(ended, 2),
            "cpu_sec": round(usage.ru_utime + usage.ru_stime, 2),
            "train_sec": _train_sec(Path(folder)),
            "lines": len(printed),
            **_read(Path(folder)),
        }


def _processes_in(folder: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _train_sec(folder: Path) -> float:
    """Return the seconds from the start of the first trial to the end of the last one, of all studies in a folder."""
    times = [
        json.loads(line)["time"]
        for file in folder.glob("studies/*/events/*-*-*.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return round(max(times) - min(times), 2)


def _read(folder: Path) -> dict[str, int]:
    store = folder / "mlflow.db"
    if not store.exists():
        return {}
    connection = sqlite3.connect(store)
    try:
        counts = {name: connection.execute(query).fetchone()[0] for name, query in COUNTS.items()}
    finally:
        connection.close()
    return counts | {"artifacts": sum(path.is_file() for path in (folder / "mlartifacts").rglob("*"))}


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Give the source of a commit, in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="base-"))
    try:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
        yield folder
    finally:
        shutil.rmtree(folder)


def compare(name: str, sides: Mapping[str, Path], runs: int, more: Sequence[str] = ()) -> dict[str, object]:
    """Run a command of every side in turns; return the medians, and the ratios of the first side to the second.

    Args:
        name: of the command.
        sides: where the source of each is.
        runs: of each.
        more: words that the second one has as well.

    Returns:
        The figures.
    """
    words, answer = COMMANDS[name]
    rows: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for number in range(runs):
        for side in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            old = side == "base" and sides[side] != ROOT
            known = [word for word in words if not (old and word.startswith(NEW_KEYS))]
            known += more if side == "base" else []
            rows[side].append(run(sides[side], known, answer))
            print(json.dumps({"command": name, "side": side, **rows[side][-1]}), flush=True)
    medians = {
        side: {key: statistics.median(row[key] for row in each) for key in each[0]} for side, each in rows.items()
    }
    found: dict[str, object] = {"command": name, "medians": medians}
    if "base" in medians:
        now, base = medians["now"], medians["base"]
        found["ratios"] = {
            key: round(now[key] / base[key], 3) for key in ("answer_sec", "end_sec", "cpu_sec", "train_sec")
        }
        found["wanted"] = WANTED[name]
        found["fewer"] = [key for key in (*COUNTS, "artifacts") if now.get(key, 0) < base.get(key, 0)]
    return found


def parts(source: Path, runs: int) -> dict[str, float]:
    """Return the processor seconds of the main job and of less and less of it, the least of several runs."""
    least = {
        name: min(
            run(source, words, "A learning rate of" if "epochs" not in str(words) else "valid/acc")["cpu_sec"]
            for _ in range(runs)
        )
        for name, words in PARTS.items()
    }
    imports = min(_imports(source) for _ in range(runs))
    return {**least, "imports of a worker": imports}


def _imports(source: Path) -> float:
    process = subprocess.Popen(
        [sys.executable, "-c", "from hpsearch.trial.build import preload; preload()"],
        env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
    )
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return round(usage.ru_utime + usage.ru_stime, 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 1 where something is missing that was in MLflow at the base."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--base", default="6d3aac9", help="commit to compare with; off: the same, one by one; none")
    parser.add_argument("--parts", action="store_true", help="part the processor seconds of lr_sweep, too")
    asked = parser.parse_args(arguments)
    complete = True
    if asked.base == "none":
        for name in asked.only:
            print(json.dumps(compare(name, {"now": ROOT}, asked.runs)), flush=True)
    elif asked.base == "off":
        for name in asked.only:
            found = compare(name, {"now": ROOT, "base": ROOT}, asked.runs, ["launcher.fuse=off"])
            print(json.dumps(found), flush=True)
    else:
        with checked_out(asked.base) as base:
            for name in asked.only:
                found = compare(name, {"now": ROOT, "base": base}, asked.runs)
                print(json.dumps(found), flush=True)
                complete = complete and not found["fewer"]
    if asked.parts:
        print(json.dumps({"cpu_sec": parts(ROOT, asked.runs)}), flush=True)
    return 0 if complete else 1


if __name__ == "__main__":
    raise SystemExit(main())
