"""What sending a study to a fresh MLflow store costs: rows written by us, and by MLflow's client.

    python -m tests.benchmarks.bench_sending [STUDY_FOLDER] [--pairs 3] [--points 13]

Each way sends the same events in a process of its own, in turns: processor time of the whole process and of the sending
alone, wall time, and points a second. Then all tables are compared. Without a folder, 39 made-up trials of 30 epochs
with 22 values and 23 steps each, as many as the main job has.
"""

import argparse
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hpsearch.base.types import Report, TrialId
from hpsearch.tracking.events import trial_files
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake

WAYS = ("rows", "client")
SEND = """
import json, sys, time
from pathlib import Path
folder, place, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
from hpsearch.tracking import sender, store
if way == "client":
    from hpsearch.tracking.client_writer import ClientWriter
    sender.open_writer = ClientWriter
uri = store.sqlite_uri(place / "mlflow.db")
cpu, wall = time.thread_time(), time.perf_counter()
sending = sender.Sender(folder, uri, place / "mlartifacts")
left = sending.send(sending.pending())
assert not left, sending.problem
sending.close()
spent = time.thread_time() - cpu
print(json.dumps({"all": time.process_time(), "sending": spent, "wall": time.perf_counter() - wall}))
"""


def made_up(folder: Path, points: int) -> None:
    """Write a study as large as that of the main job."""
    record = Record(folder)
    fake.open_study(record)
    for point in range(points):
        for seed in range(3):
            made = fake.spec(folder, point, seed)
            fake.start(record, made)
            for epoch in range(31):
                values = {f"valid/metric_{index}": 1 / (1 + epoch + index + seed) for index in range(8)}
                steps = tuple((23 * (epoch - 1) + k, 1 / (k + epoch)) for k in range(1, 24)) if epoch else ()
                record.message(TrialId(point, seed), Report(epoch, 23 * epoch, values, steps, fake.TIME + epoch))
            fake.finish(record, made)
    record.study("state", fake.TIME + 100, state="COMPLETE", answer="It is found.")
    record.close()


def send(study: Path, place: Path, way: str) -> dict[str, float]:
    """Send a copy of a study in a process of its own, and return what it cost."""
    folder = place / "studies" / study.name
    shutil.copytree(study, folder, ignore=shutil.ignore_patterns("tracking"))
    command = [sys.executable, "-c", SEND, str(folder), str(place), way]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def counts(place: Path) -> dict[str, int]:
    """Return the number of rows of every table that has any."""
    with sqlite3.connect(place / "mlflow.db") as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        sizes = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    return {name: size for name, size in sizes.items() if size}


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print a line per way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--points", type=int, default=13)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        study = given.study or root / "made" / "lr_sweep"
        if given.study is None:
            made_up(study, given.points)
        spent: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for pair in range(given.pairs):
            for way in WAYS:
                spent[way].append(send(study, root / f"{way}{pair}", way))
        rows = {way: counts(root / f"{way}0") for way in WAYS}
        assert rows["rows"] == rows["client"], rows
        points, trials = rows["rows"]["metrics"], len(list(trial_files(study)))
        print(f"{trials} trials, {points} points; CPU seconds, medians of {len(spent['rows'])} in turns")
        for way in WAYS:
            middle = {key: statistics.median(each[key] for each in spent[way]) for key in spent[way][0]}
            line = "  ".join(f"{key} {value:.2f}" for key, value in middle.items())
            print(f"{way:<8}{line}  {points / middle['sending']:,.0f} points per CPU second of sending")
    return 0


if __name__ == "__main__":
    sys.exit(main())
