"""How heavy the report of a large study is, and how long a browser takes to open it.

    python -m tests.benchmarks.bench_report [--points 2000] [--epochs 10] [--opens 5] [--folder F]
    python -m tests.benchmarks.bench_report --command [--points 10000] [--epochs 10] [--code FOLDER]

A made-up random search of 2,000 trials with 10 epochs each. Wanted: at most 12 MiB, and opened in less than 3 s. Times
are Chromium's own (navigation timing, from a file), medians: until something can be read (``paint``), until the whole
page is there with its main figure and can be used (``load``, which the limit is meant for), and until the last figure,
which nobody sees before scrolling, is drawn (``drawn``).

With ``--command`` it measures ``python -m hpsearch report`` of the same search in event files, seconds and processor
seconds: ``cold`` writes the report, ``warm`` finds it unchanged; ``--code`` takes another checkout. Wanted of 10,000
trials at most 5 s, of 39 1.0 s cold and .5 s warm, on an idle machine.

Processor seconds of a cold report, of the command and of the processes beside it, on two cores that others used too
(best of two; what came before in brackets): ``lr_sweep``, 39 trials, .77 + .43 (1.11 + .44); the same number of this
made-up search .74 + 1.79 (2.2 + .55); 10,000 trials 6.0 + 2.4 (10.4 + .5).
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hpsearch.reports.summary.page import write_report
from tests.support import synthetic
from tests.support.browser import DESKTOP, chromium, load

TIMES = """
    const entry = performance.getEntriesByType("navigation")[0];
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const drawn = performance.getEntriesByName("drawn")[0];
    return [paint.startTime, entry.loadEventEnd, drawn.startTime];
"""


def written(points: int, epochs: int, folder: Path) -> tuple[Path, float]:
    """Write the report and return it with the seconds that took."""
    table = synthetic.mixed(points, epochs)
    started = time.perf_counter()
    return write_report(table, folder), time.perf_counter() - started


def opened(page: Path, opens: int, profile: Path) -> list[list[float]]:
    """Return milliseconds until paint, load and drawn of each opening."""
    with chromium(profile) as chrome:
        rows = []
        for _ in range(opens):
            chrome.get("about:blank")
            load(chrome, page, DESKTOP)
            rows.append(chrome.execute_script(TIMES))
        return rows


def recorded(points: int, epochs: int, folder: Path) -> None:
    """Write the made-up search as the event files of a study."""
    table, events = synthetic.mixed(points, epochs), folder / "events"
    events.mkdir(parents=True)
    created = {"event": "created", "time": synthetic.START, "uid": "made-up"}
    _write(events / "study.jsonl", [created, {"event": "open", "time": synthetic.START, **table.study}])
    curves = {trial: rows for trial, rows in table.curves.groupby(["point", "seed", "fold"])}
    keys = [name.rpartition("/")[2] for name in table.study["space"]]
    for row in table.trials.to_dict("records"):
        trial = (row["point"], row["seed"], row["fold"])
        own, when = dict(zip(("point", "seed", "fold"), trial, strict=True)), row["started"]
        params = {key: row[key] for key in keys if not pd.isna(row[key])}
        words = [f"{key}={value}" for key, value in params.items()]
        spec = {"params": params, "overrides": words, "key": row["key"], "folder": "trials", "config": {}}
        lines = [{"event": "spec", "time": when, **own, **spec}]
        lines += [{"event": "start", "time": when, "attempt": 1, "epoch": None, "facts": {"device": "cpu"}}]
        for report in curves[trial].to_dict("records") if trial in curves else ():
            metrics = {
                k: v for k, v in report.items() if k not in {*own, "epoch", "step", "time"} and not math.isnan(v)
            }
            place = {"time": report["time"], "epoch": report["epoch"], "step": report["step"]}
            lines.append({"event": "report", **place, "metrics": metrics, "steps": []})
        score = None if math.isnan(row["score"]) else row["score"]
        end = {"state": row["state"], "reason": row["reason"], "traceback": "", "attempt": 1, "score": score}
        lines.append({"event": "state", "time": row["ended"], **end, "artifacts": [], "facts": {}})
        _write(events / "{}-{}-{}.jsonl".format(*trial), lines)


def _write(path: Path, events: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(event, default=str) + "\n" for event in events), encoding="utf-8")


def reported(home: Path, name: str, code: Path) -> dict[str, float]:
    """Run ``report`` in a folder and return its seconds and processor seconds, those of its processes included."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    words = [sys.executable, "-m", "hpsearch", "report", name]
    subprocess.run(words, cwd=home, env={**os.environ, "PYTHONPATH": str(code)}, check=True, capture_output=True)
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"sec": round(took, 2), "cpu_sec": round(cpu, 2), "peak_mib": round(after.ru_maxrss / 1024)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--opens", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--command", action="store_true")
    parser.add_argument("--code", type=Path, default=Path(__file__).resolve().parents[2])
    asked = parser.parse_args(arguments)
    if asked.command:
        with tempfile.TemporaryDirectory() as scratch:
            recorded(asked.points, asked.epochs, Path(scratch) / "studies" / "made_up")
            took = {kind: reported(Path(scratch), "made_up", asked.code.absolute()) for kind in ("cold", "warm")}
        print(json.dumps({"trials": asked.points, "epochs": asked.epochs, **took}))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        page, write_sec = written(asked.points, asked.epochs, asked.folder or Path(scratch))
        rows = opened(page, asked.opens, Path(scratch) / "profile")
        medians = [round(statistics.median(column) / 1000, 2) for column in zip(*rows, strict=True)]
        result = {"trials": asked.points, "epochs": asked.epochs, "mib": round(page.stat().st_size / 2**20, 2)}
        result["write_sec"] = round(write_sec, 1)
        result |= zip(("paint_sec", "load_sec", "drawn_sec"), medians, strict=True)
        print(json.dumps({**result, "load_each_sec": [round(row[1] / 1000, 2) for row in rows]}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
