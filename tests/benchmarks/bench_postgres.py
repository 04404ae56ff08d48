"""Several drivers on one study in PostgreSQL: faults in the middle, and throughput beside a single driver's.

``python -m tests.benchmarks.bench_postgres faults``: four drivers search 400 short trials while one of them is killed,
the database is restarted, and later is away for twice the time of a lease; ``faults --model`` does it with TPE and
``pruner=auto``. ``throughput`` trains trials that sleep for a second with one driver and with four, of two workers
each, and prints trials a second from the first ask to the last tell. A server of its own is started for each.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.postgres import PASSWORD, Driver, Server, search_words, wait_for
from tests.support.shared_study import SharedStudy, check_whole

LEASE_SEC = 5.0


def faults(folder, server, points, by_model):
    """Four drivers, one killed, the database restarted and away; return what is printed."""
    url = server.create("faults")
    study = SharedStudy(server, url)
    kind = {"sampler": "tpe", "pruner": "auto", "function": "waiting"} if by_model else {}
    words = search_words(url, "+args.nap=0.05", f"storage.lease_sec={LEASE_SEC}", points=points, **kind)
    began = time.monotonic()
    team = [Driver(folder / f"driver{place}", words) for place in range(4)]
    wait_for(lambda: study.begun() >= points // 8, 1200, said=study.begun)
    killed = next(each for each in team if each.process.pid == study.leader)
    killed.kill()
    said = {"killed at": study.begun()}
    wait_for(lambda: study.begun() >= points * 3 // 8, 1200, said=study.begun)
    server.stop()
    server.start()
    said["restarted at"] = study.begun()
    wait_for(lambda: study.begun() >= points * 5 // 8, 1200, said=study.begun)
    term = study.term
    server.stop()
    time.sleep(2 * LEASE_SEC)
    server.start()
    said["away at"] = study.begun()
    others = [each for each in team if each is not killed]
    codes = [each.end(2400) for each in others]
    assert codes == [0, 0, 0], [each.said[-2000:] for each in others]
    check_whole(study, points)
    pages = [each for each in team if (each.folder / "studies" / "shared" / "report.html").exists()]
    assert len(pages) == 1
    assert study.term == term == 2, "nobody took over but for the driver that was killed"
    assert not any(PASSWORD in each.said for each in team)
    states = Counter(lines[-1]["state"] for lines in study.events().values())
    attempts = sum(line["event"] == "start" for lines in study.events().values() for line in lines)
    sec = round(time.monotonic() - began)
    return {**said, "trials": points, "states": states, "attempts": attempts, "reports": len(pages), "sec": sec}


def throughput(folder, server, drivers, points, workers):
    """Return trials a second of trials that sleep for a second, from the first ask to the last tell."""
    url = server.create(f"of{drivers}")
    study = SharedStudy(server, url)
    words = search_words(url, "+args.nap=1.0", f"launcher.workers={workers}", points=points, sampler="tpe")
    team = [Driver(folder / f"of{drivers}_{place}", [*words, "storage.lease_sec=30"]) for place in range(drivers)]
    codes = [each.end(2400) for each in team]
    assert codes == [0] * drivers, [each.said[-2000:] for each in team]
    check_whole(study, points)
    lines = [line for trial in study.events().values() for line in trial]
    first, last = min(line["time"] for line in lines), max(line["time"] for line in lines if line["event"] == "state")
    return points / (last - first)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("faults", "throughput"))
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--points", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(argv)
    os.environ["PGPASSWORD"] = PASSWORD
    with tempfile.TemporaryDirectory(prefix="hpsearch-postgres-") as at, tempfile.TemporaryDirectory() as folder:
        server = Server(Path(at))
        try:
            if given.what == "faults":
                print(json.dumps(faults(Path(folder), server, given.points or 400, given.model)))
            else:
                points = given.points or 40
                one = throughput(Path(folder), server, 1, points, given.workers)
                four = throughput(Path(folder), server, 4, 4 * points, given.workers)
                print(json.dumps({"one": round(one, 3), "four": round(four, 3), "ratio": round(four / one, 2)}))
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
