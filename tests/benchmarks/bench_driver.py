"""What the driver itself costs: a search whose trials do nothing, from asking to the report.

    python -m tests.benchmarks.bench_driver [--trials 10000] [--reports 10] [--part PART ...] [--folder F] [--out F]

Journal storage, no tracker, no pruner, one slot in this process, 4 hyperparameters; every part is a process of its own
on the same folder, which keeps what it finds there and is a temporary one by default.

1. random: a whole search by random sampling. Wanted: at least 200 trials a second, at most 600 MiB at its peak.
2. open: that study again, until the driver knows that nothing is left to do, imports excluded. Wanted: at most 3 s.
3. list: `python -m hpsearch list` beside it, the start of Python included. No limit.
4. report: `python -m hpsearch report`, the start of Python included. Wanted: at most 20 s, and 15 MiB of HTML.
5. tpe: 400 further points by TPE in a study that has 2,000. Wanted: at least 20 trials a second.

A limit is held when the ratio behind a figure is at most 1. The limits are meant for an idle machine: the load and the
time of one fsync are printed, and beside the seconds of a search those that it had a core to itself (``cpu_sec``).
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

MIB = 2**20
SPACE = {
    "optimizer.lr": "tag(log, interval(1e-4, 1))",
    "optimizer.momentum": "interval(0, 0.99)",
    "model.width": "tag(log, int(interval(8, 512)))",
    "model.activation": "choice(relu, gelu, tanh)",
}
METRIC = "valid/acc"
NAME = "noop"
EARLIER, FURTHER = 2000, 400
CONF = Path(__file__).parents[2] / "conf"
WANTED = {
    "random": {"trials_per_sec": (200, "at least"), "peak_mib": (600, "at most")},
    "open": {"sec": (3, "at most")},
    "list": {},
    "report": {"sec": (20, "at most"), "mib": (15, "at most")},
    "tpe": {"trials_per_sec": (20, "at least")},
}


def train(specs: tuple[Any, ...]) -> Any:
    """Train nothing: report a curve that the hyperparameters decide."""
    from hpsearch.base.types import Report, Started, TrialResult, TrialState

    (spec,) = specs
    level = 1 / (1 + abs(math.log10(spec.params["optimizer.lr"]) + 1)) * spec.params["optimizer.momentum"]
    yield (Started(None, {"parameters": 10 * spec.params["model.width"]}, time.time()),)
    epochs = spec.config["trainer"]["epochs"]
    for epoch in range(1, epochs + 1):
        value = level * epoch / epochs
        yield (Report(epoch, 100 * epoch, {"train/loss": 1 - value, METRIC: value}, (), time.time()),)
    return (TrialResult(TrialState.COMPLETE, time=time.time()),)


def make_spec(folder: Path, reports: int, point: int, params: Mapping[str, Any], seed: int, fold: int) -> Any:
    """Return a trial with a configuration of the usual shape."""
    from hpsearch.base.grammar import value_text
    from hpsearch.base.types import TrialId, TrialSpec

    trial = TrialId(point, seed, fold)
    config: dict[str, Any] = {"trainer": {"epochs": reports}, "seed": seed, "fold": fold, "optimizer": {}, "model": {}}
    for key, value in params.items():
        group, name = key.split(".")
        config[group][name] = value
    words = tuple(f"{key}={value_text(value)}" for key, value in params.items())
    return TrialSpec(NAME, trial, config, params, words, str(hash(words)), str(folder / "trials" / trial.stem))


def search(folder: Path, sampler: str, points: int, reports: int) -> dict[str, float]:
    """Open a study and run it to its end; return the seconds of both, and those of a core."""
    from hpsearch.base.types import Objective, TrialState
    from hpsearch.config.build import build
    from hpsearch.launch.inline import InlineLauncher
    from hpsearch.progress.display import Silent
    from hpsearch.search.driver import Driver
    from hpsearch.search.extension import Ranges
    from hpsearch.search.lock import study_lock
    from hpsearch.search.plan import Environment, Plan
    from hpsearch.search.samplers import seed_after
    from hpsearch.search.space import Space
    from hpsearch.search.storage import JournalStore, open_study
    from hpsearch.tracking.record import Record

    objective = Objective(METRIC)
    pruner = build("pruner", yaml.safe_load((CONF / "pruner" / "none.yaml").read_text()))
    options = yaml.safe_load((CONF / "sampler" / f"{sampler}.yaml").read_text())
    config = {key: value for key, value in options.items() if key not in ("first", "prior")}
    first = build("sampler", config, seed=0)
    launcher = InlineLauncher()
    launcher.start(train)
    folder.mkdir(parents=True, exist_ok=True)
    with study_lock(folder, "the benchmark"):
        started = time.perf_counter()
        store = JournalStore().open(folder)
        study = open_study(store, NAME, pruner, objective)
        record = Record(folder)
        described = {"metric": METRIC, "direction": "maximize", "reduce": "last"}
        record.study(
            "open", time.time(), name=NAME, question="What does the driver cost?", config={}, space=SPACE, command="",
            objective=described, sampler=type(first).__name__, pruner=type(pruner).__name__, seed=0, git={},
            environment={},
        )  # fmt: skip
        driver = Driver(
            study=study,
            make_sampler=lambda n: build("sampler", config, seed=seed_after(first, 0, n)),
            store=store,
            ranges=Ranges(Space.parse(SPACE)),
            plan=Plan(objective, (0,), points=points),
            launcher=launcher,
            record=record,
            make_spec=partial(make_spec, folder, reports),
            environment=Environment(Silent(), time.time),
        )
        driver.resume()
        opened, cpu_started = time.perf_counter(), time.process_time()
        outcome = driver.run()
        record.study("state", time.time(), state=TrialState.COMPLETE, answer="", why=outcome.why)
        record.close()
        store.close()
        ended = time.perf_counter()
    assert outcome.counts == {TrialState.COMPLETE: points}, outcome
    return {"open_sec": opened - started, "run_sec": ended - opened, "cpu_sec": time.process_time() - cpu_started}


def peak_mib() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def random_part(home: Path, trials: int, reports: int) -> dict[str, float]:
    """Search by random sampling."""
    took = search(_study(home, NAME), "random", trials, reports)
    return _rates(took, trials)


def open_part(home: Path, trials: int, reports: int) -> dict[str, float]:
    """Open the study again."""
    sec = search(_study(home, NAME), "random", trials, reports)["open_sec"]
    return {"sec": sec, "peak_mib": peak_mib()}


def list_part(home: Path, trials: int, reports: int) -> dict[str, float]:
    """List the studies."""
    return {"sec": command(home, "list")}


def report_part(home: Path, trials: int, reports: int) -> dict[str, float]:
    """Write the report again."""
    sec = command(home, "report", NAME)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"sec": sec, "mib": (_study(home, NAME) / "report.html").stat().st_size / MIB, "peak_mib": children}


def tpe_part(home: Path, trials: int, reports: int) -> dict[str, float]:
    """Search on by TPE."""
    folder = _study(home, "tpe")
    search(folder, "random", EARLIER, reports)
    return _rates(search(folder, "tpe", EARLIER + FURTHER, reports), FURTHER)


PARTS: dict[str, Callable[[Path, int, int], dict[str, float]]] = {
    "random": random_part,
    "open": open_part,
    "list": list_part,
    "report": report_part,
    "tpe": tpe_part,
}


def _rates(took: Mapping[str, float], trials: int) -> dict[str, float]:
    sec = took["run_sec"]
    return {"sec": sec, "cpu_sec": took["cpu_sec"], "trials_per_sec": trials / sec, "peak_mib": peak_mib()}


def _study(home: Path, name: str) -> Path:
    return home / "studies" / name


def command(home: Path, *words: str) -> float:
    """Return the seconds of a command of ours."""
    paths = os.pathsep.join(filter(None, [str(CONF.parent), os.environ.get("PYTHONPATH")]))
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=home,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )
    return time.perf_counter() - started


def fsync_ms(folder: Path) -> float:
    """Return the median time that the disk takes to confirm a small write."""
    times = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(b"x" * 100)
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - started))
    (folder / "probe").unlink()
    return statistics.median(times)


def verdicts(part: str, figures: Mapping[str, float]) -> list[dict[str, Any]]:
    """Compare a part's figures with what is wanted of them."""
    rows = []
    for name, (limit, side) in WANTED[part].items():
        ratio = figures[name] / limit if side == "at most" else limit / figures[name]
        rows.append({"figure": f"{part}.{name}", "value": round(figures[name], 2), "wanted": f"{side} {limit}",
                     "ratio": round(ratio, 3), "held": ratio <= 1})  # fmt: skip
    return rows


def run_parts(parts: list[str], home: Path, trials: int, reports: int) -> dict[str, Any]:
    """Run every part in a process of its own and print its figures."""
    results: dict[str, Any] = {"trials": trials, "reports": reports, "cores": len(os.sched_getaffinity(0)),
                               "fsync_ms": round(fsync_ms(home), 2), "parts": {}, "limits": []}  # fmt: skip
    results["load"] = round(os.getloadavg()[0], 2)
    print(f"one fsync: {results['fsync_ms']} ms; {results['cores']} cores; load {results['load']}", flush=True)
    for part in parts:
        words = ["-m", "tests.benchmarks.bench_driver", "--alone", part, "--folder", str(home)]
        numbers = ["--trials", str(trials), "--reports", str(reports)]
        done = subprocess.run([sys.executable, *words, *numbers], check=True, stdout=subprocess.PIPE, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        results["parts"][part] = {name: round(value, 3) for name, value in figures.items()}
        print(f"{part}: " + "  ".join(f"{name} {value:.5g}" for name, value in figures.items()), flush=True)
        results["limits"] += verdicts(part, figures)
    for row in results["limits"]:
        words = "held" if row["held"] else "NOT HELD"
        print(f"{row['figure']:24} {row['value']:>9}  wanted {row['wanted']:12}  ratio {row['ratio']:<6} {words}")
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 1 when a limit is not held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=10)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--alone", choices=PARTS, help="run one part in this process and print its figures as JSON")
    parser.add_argument("--folder", type=Path, help="where the studies are; kept")
    parser.add_argument("--out", type=Path, help="write every figure as JSON")
    asked = parser.parse_args(arguments)
    if asked.alone:
        print(json.dumps(PARTS[asked.alone](asked.folder, asked.trials, asked.reports)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        home = (asked.folder or Path(temporary)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        results = run_parts(asked.part, home, asked.trials, asked.reports)
    if asked.out:
        asked.out.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(row["held"] for row in results["limits"]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
