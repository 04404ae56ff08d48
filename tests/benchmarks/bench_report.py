"""How heavy the report of a large study is, and how long a browser takes to open it.

    python -m tests.benchmarks.bench_report [--points 2000] [--epochs 10] [--opens 5] [--folder F]

A made-up random search of 2,000 trials with 10 epochs each. Wanted: at most 12 MiB, and opened in less than 3 s. Times
are Chromium's own (navigation timing, from a file), medians: until something can be read (``paint``), until the whole
page is there with its main figure and can be used (``load``, which the limit is meant for), and until the last figure,
which nobody sees before scrolling, is drawn (``drawn``).
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--opens", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args(arguments)
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
