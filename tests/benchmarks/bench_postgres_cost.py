"""What a database costs the driver that leads a study, and its server, where many workers report.

Simulated workers of four drivers report every so many seconds, each trial ten times, and compute nothing; the launcher,
the record and the copy in the database are the real ones, and there is no sampler. ``python -m
tests.benchmarks.bench_postgres_cost --workers 1000 --every 30`` starts a server of its own and prints shares of a
processor, and rows and bytes for each report.
"""

import argparse
import heapq
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from unittest import mock

import psutil

from hpsearch.base.types import Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.launch.base import Ended, Reported
from hpsearch.search.shared.copied import FolderCopy
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.launcher import SharedLauncher
from hpsearch.search.shared.leading import Succession
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.member import Member
from hpsearch.tracking.record import Record
from tests.support.postgres import PASSWORD, Server, environment, wait_for

REPORTS = 10
DRIVERS = 4


class SimulatedWorkers:
    """A launcher whose trials report at equal intervals, beginning at a chance moment, and compute nothing."""

    retries, grace_sec = 2, 10.0

    def __init__(self, slots, every_sec):
        self.slots, self._every_sec = slots, every_sec
        self._due, self._order, self._taken = [], count(), {}

    def free(self):
        return tuple(slot for slot in range(self.slots) if slot not in self._taken)

    def submit(self, slot, specs):
        (spec,) = specs
        self._taken[slot] = spec.id
        began = time.monotonic() + random.random() * self._every_sec
        for number in range(REPORTS + 2):
            at = began + min(number, REPORTS) * self._every_sec
            heapq.heappush(self._due, (at, next(self._order), number, slot, spec.id))

    def poll(self, timeout_sec):
        events, now = [], time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, number, slot, trial = heapq.heappop(self._due)
            metrics = {"train/loss": 1.23456789, "valid/loss": 1.23456789, "valid/acc": 0.87654321}
            if number == 0:
                events.append(Reported(trial, Started(None, {"device": "cpu", "threads": 1}, time.time())))
            elif number <= REPORTS:
                events.append(Reported(trial, Report(number, 100 * number, metrics, time=time.time())))
            else:
                del self._taken[slot]
                events.append(Ended(trial, TrialResult(TrialState.COMPLETE)))
        time.sleep(0 if events else timeout_sec)
        return events

    def decide(self, trial, decision):
        """Trials are not told anything here."""

    kill = decide


def simulated_spec(point):
    config = {"args": {"x": 0.123456}, "trainer": {"_target_": "a.b", "epochs": REPORTS}, "seed": 0, "plugins": []}
    return TrialSpec("s", TrialId(point, 0), config, {"args.x": 0.123456}, (), "k" * 16, "trials")


def members(url, workers, every_sec, folder):
    """Take part with simulated workers until standard input ends; this is a process of its own."""
    team, share = [], -(-workers // DRIVERS)
    for number in range(DRIVERS):
        lease = Lease(url, "s", share, 60.0, 600.0)
        launcher = SimulatedWorkers(share, every_sec)
        own = Path(folder) / f"member{number}"
        make = lambda study: lambda point, params, seed, fold: simulated_spec(point)  # noqa: E731
        team.append((Member(Database(url), "s", lease, launcher, make, own), lease))
    sys.stdin.read()
    for member, lease in team:
        with suppress(Exception):
            member.stop()
            lease.close(Database(url).run)


def server_sec(server):
    """Processor time of the server's processes so far, those that ended included."""
    pid = int((server.folder / "data/postmaster.pid").read_text().split()[0])
    mother = psutil.Process(pid)
    times = [each.cpu_times() for each in (mother, *mother.children())]
    return sum(each.user + each.system for each in times)


def cost(folder, server, workers, every_sec, seconds):
    """Return what reports of so many workers cost: shares of a processor, bytes and rows for each report."""
    url = server.create(f"cost{workers}")
    database = Database(url)
    database.open()
    lease = Lease(url, "s", 0, 60.0, 600.0)
    leading = Succession(database, "s", lease, 60.0).look()
    study = folder / "s"
    study.mkdir(parents=True)
    copy = FolderCopy(leading, study)
    copy.pull()
    record = Record(study, lambda names: copy.push(f"events/{name}.jsonl" for name in names))
    own, points, slept = SimulatedWorkers(0, every_sec), count(), [0.0]
    own.ahead = lease.ahead
    words = f"-m tests.benchmarks.bench_postgres_cost --members --workers {workers} --every {every_sec}".split()
    words += ["--url", url, "--folder", str(folder)]
    team = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, env=environment())
    launcher = SharedLauncher(leading, own, 60.0, lambda stem: None, lambda line: None)

    def sleep(sec, plain=time.sleep):
        began = time.monotonic()
        plain(sec)
        slept[0] += time.monotonic() - began

    def turn():
        for slot in launcher.free():
            spec = simulated_spec(next(points))
            record.spec(spec, time.time())
            launcher.submit(slot, (spec,))
        told = launcher.poll(0.5)
        for event in told:
            if isinstance(event, Reported):
                record.message(event.trial, event.message)
            else:
                record.state(event.trial, TrialState.COMPLETE, time.time(), score=0.5)
        record.flush()
        return sum(isinstance(event, Reported) and isinstance(event.message, Report) for event in told)

    def counted():
        state = "select xact_commit, tup_inserted, tup_deleted from pg_stat_database where datname = current_database()"
        (rows,) = server.rows(f"cost{workers}", state)
        ((wal,),) = server.rows(f"cost{workers}", "select pg_current_wal_lsn() - '0/0'::pg_lsn")
        held = "select coalesce(sum(length(content)), 0), count(*) from hpsearch.lines"
        (lines,) = server.rows(f"cost{workers}", held)
        return [*map(float, (*rows, wal, *lines)), server_sec(server), slept[0], time.monotonic(), time.thread_time()]

    try:
        with mock.patch("hpsearch.search.shared.launcher.time.sleep", sleep):
            wait_for(lambda: launcher.poll(0.5) or launcher.slots >= workers)
            until = time.monotonic() + 1.5 * every_sec
            while time.monotonic() < until:
                turn()
            before, until, reports = counted(), time.monotonic() + seconds, 0
            while time.monotonic() < until:
                reports += turn()
            after = counted()
    finally:
        team.communicate()
    record.close()
    commits, inserted, deleted, wal, kept, rows, busy, idle, wall, own_sec = (
        late - early for early, late in zip(before, after, strict=True)
    )
    lease.close(database.run)
    database.close()
    return {
        "workers": workers,
        "reports_per_sec": round(reports / wall, 2),
        "wanted_per_sec": round(workers / every_sec * REPORTS / (REPORTS + 0.5), 2),
        "leader_busy": round(1 - idle / wall, 3),
        "leader_processor": round(own_sec / wall, 3),
        "leader_ms_per_report": round(1000 * (wall - idle) / reports, 2),
        "server_processor": round(busy / wall, 3),
        "transactions_per_sec": round(commits / wall, 1),
        "rows_inserted_per_report": round(inserted / reports, 2),
        "rows_deleted_per_report": round(deleted / reports, 2),
        "rows_kept_per_report": round(rows / reports, 2),
        "bytes_kept_per_report": round(kept / reports),
        "wal_bytes_per_report": round(wal / reports),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two reports of a worker")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured, after one and a half of those")
    parser.add_argument("--members", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    os.environ["PGPASSWORD"] = PASSWORD
    if given.members:
        members(given.url, given.workers, given.every, given.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="hpsearch-postgres-") as at, tempfile.TemporaryDirectory() as folder:
        server = Server(Path(at))
        try:
            print(json.dumps(cost(Path(folder), server, given.workers, given.every, given.seconds)))
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
