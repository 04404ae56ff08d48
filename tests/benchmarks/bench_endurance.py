"""What a long study costs and loses: thousands of short trials, workers that are killed, a server that is away.

    python -m tests.benchmarks.bench_endurance [--part kills growth] [--trials 2000] [--growth-trials 5000] [--seed 0]

1. kills: one command, softmax regression on digits, 2,000 trials of two epochs, two workers. The same study twice: left
   alone beside a server that stands, and with a worker killed every 5 s and the server down for a third of the time.
   Wanted: every trial complete, none twice in the table or in the store, no run left running, scores equal. The
   overhead is the ratio of both times, from the first word to the last run in the store.
2. growth: 5,000 trials of a function that does next to nothing. Memory that only one process has (USS) of the driver
   and of each worker against the trials that have ended, a straight line from a fifth of them on. Wanted: at most
   20 KiB a trial in the driver and 1 KiB of its own trials in a worker.
"""

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from hpsearch import load_trials
from hpsearch.tracking.ui import free_port

KILL_SEC, CYCLE_SEC = 5, 15
ROOT = Path(__file__).parents[2]
NAME = "endurance"
STUDY = """
import hpsearch


def train(x, seed):
    return (x - 0.3) ** 2


hpsearch.run_search(
    train, space={{"x": "interval(0, 1)"}}, points={points}, name="endurance", sampler="random", pruner="none",
    tracker="none", direction="minimize", overrides=["launcher.workers=2"],
)
"""


class Server:
    """An MLflow server of its own, which can be taken away and brought back at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port(5600)
        self.process: subprocess.Popen[bytes] | None = None
        self.away_sec = 0.0

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Bring it back; it answers some seconds later."""
        words = ["server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        words += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        words += ["--artifacts-destination", str(self.folder / "artifacts"), "--serve-artifacts"]
        log = (self.folder / "server.txt").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )

    def stop(self) -> None:
        """Take it away, with all of its processes, as a power cut does."""
        if self.process is not None:
            for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                process.kill()
            self.process.wait()

    def disturb(self, over: threading.Event) -> None:
        """Be away for a third of the time, until `over` is set; stand at the end."""
        while not over.wait(2 * CYCLE_SEC / 3):
            self.stop()
            gone = time.monotonic()
            over.wait(CYCLE_SEC / 3)
            self.start()
            self.away_sec += time.monotonic() - gone


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Run a server, and take it away at the end."""
    folder.mkdir(parents=True)
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def workers(driver: psutil.Process) -> list[psutil.Process]:
    """Return the workers of a study."""
    found = []
    for child in driver.children(recursive=True):
        try:
            if "hpsearch.launch" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def kill_workers(driver: int, over: threading.Event, draw: random.Random, killed: list[int]) -> None:
    """Kill a worker every few seconds, until `over` is set."""
    while not over.wait(KILL_SEC):
        try:
            found = workers(psutil.Process(driver))
            if found:
                victim = draw.choice(found)
                victim.send_signal(signal.SIGKILL)
                killed.append(victim.pid)
        except psutil.NoSuchProcess:
            continue


def study(folder: Path, uri: str, trials: int) -> subprocess.Popen[bytes]:
    """Start the study as a user does."""
    words = ["+study=search", "~space", "space.optimizer.lr=tag(log, interval(1e-3, 1))", f"study.name={NAME}"]
    words += ["model=softmax", "trainer.epochs=2", "trainer.device=cpu", "data.train_size=300", "sampler=random"]
    words += [
        "pruner=none",
        f"budget.points={trials}",
        "study.seeds=1",
        "study.confirm=0",
        "launcher.workers=2",
        "launcher.retries=50",
    ]
    words += ["launcher.fuse=8", f"tracker.uri={uri}"]
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "hpsearch", *words],
            cwd=folder,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )


def run_beside(folder: Path, trials: int, seed: int, disturbed: bool) -> dict[str, Any]:
    """Run a study beside a server until the store has everything; return what it took and what is there."""
    folder.mkdir(parents=True)
    over, killed, began = threading.Event(), list[int](), time.monotonic()
    with served(folder / "server") as server:
        run = study(folder, server.uri, trials)
        threads = [
            threading.Thread(target=kill_workers, args=(run.pid, over, random.Random(seed), killed)),
            threading.Thread(target=server.disturb, args=(over,)),
        ]
        for thread in threads if disturbed else ():
            thread.start()
        code = run.wait()
        over.set()
        for thread in threads if disturbed else ():
            thread.join()
        wait_until_it_answers(server)
        sent = subprocess.run(
            [sys.executable, "-m", "hpsearch", "sync", NAME, f"tracker.uri={server.uri}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        ended = time.monotonic() - began
        return {
            "code": code,
            "sync": sent.returncode,
            "sec": round(ended, 1),
            "killed": len(killed),
            "server_away_sec": round(server.away_sec, 1),
            **counted(folder, server.uri),
        }


def wait_until_it_answers(server: Server) -> None:
    """Wait for a server that has just been brought back."""
    import requests

    for _ in range(600):
        try:
            if requests.get(f"{server.uri}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)


def counted(folder: Path, uri: str) -> dict[str, Any]:
    """Count the trials of the table and the runs of the store."""
    import mlflow

    table = trials_in(folder)
    client = mlflow.MlflowClient(uri)
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs, token = [], None
    while token != "":
        page = client.search_runs(experiments, max_results=1000, page_token=token)
        runs += page
        token = page.token or ""
    trials = [run.data.tags.get("trial") or run.info.run_name for run in runs if "mlflow.parentRunId" in run.data.tags]
    return {
        "complete": int((table["state"] == "COMPLETE").sum()),
        "rows": len(table),
        "points": int(table["point"].nunique()),
        "runs": len(trials),
        "distinct_runs": len(set(trials)),
        "running": sum(run.info.status == "RUNNING" for run in runs),
    }


def trials_in(folder: Path) -> pd.DataFrame:
    """Return the study's table, read from its folder."""
    with chdir(folder):
        return load_trials(NAME)


def scores(folder: Path) -> dict[Any, float]:
    """Return the score of every point."""
    table = trials_in(folder)
    return dict(zip(table["point"], table["score"], strict=True))


def kills(folder: Path, trials: int, seed: int) -> dict[str, Any]:
    """Run both studies and compare them."""
    alone = run_beside(folder / "alone", trials, seed, False)
    print("alone", json.dumps(alone), flush=True)
    disturbed = run_beside(folder / "disturbed", trials, seed, True)
    print("disturbed", json.dumps(disturbed), flush=True)
    return {
        "equal_scores": scores(folder / "alone") == scores(folder / "disturbed"),
        "time_ratio": round(disturbed["sec"] / alone["sec"], 3),
    }


def growth(folder: Path, trials: int) -> dict[str, Any]:
    """Watch the memory of a study's processes; return the growth in KiB by trial."""
    folder.mkdir(parents=True)
    (folder / "study.py").write_text(STUDY.format(points=trials))
    with (folder / "output.txt").open("wb") as output:
        run = psutil.Popen(
            [sys.executable, "study.py"],
            cwd=folder,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        seen: dict[int, list[tuple[int, float]]] = {}
        while run.poll() is None:
            ended = len(list((folder / "studies" / NAME / "events").glob("*-*.jsonl")))
            for process in [run, *workers(run)]:
                try:
                    seen.setdefault(process.pid, []).append((ended, process.memory_full_info().uss / 1024))
                except psutil.Error:
                    continue
            time.sleep(0.25)
    lines = {pid: line(rows, trials) for pid, rows in seen.items()}
    driver = lines.pop(run.pid)
    own = [slope for slope in lines.values() if not math.isnan(slope)]
    return {
        "code": run.returncode,
        "driver_kib_by_trial": round(driver, 2),
        "worker_kib_by_own_trial": round(max(own, default=math.nan) * len(own), 3),  # each has its share of the trials
        "driver_mib": round(max(used for _, used in seen[run.pid]) / 1024),
        "workers": len(own),
    }


def line(rows: list[tuple[int, float]], trials: int) -> float:
    """Return the slope of memory over trials that have ended, from a fifth of them on; nan where it was not seen."""
    later = np.asarray([row for row in rows if row[0] >= trials / 5]).reshape(-1, 2)
    if len(np.unique(later[:, 0])) < 2:
        return math.nan
    return float(np.polyfit(later[:, 0], later[:, 1], 1)[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=["kills", "growth"], default=["kills", "growth"])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--growth-trials", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work, and what to leave; by default a temporary one")
    asked = parser.parse_args(arguments)
    with nullcontext(asked.folder) if asked.folder else tempfile.TemporaryDirectory() as name:
        if "kills" in asked.part:
            print("kills", json.dumps(kills(Path(name) / "kills", asked.trials, asked.seed)), flush=True)
        if "growth" in asked.part:
            print("growth", json.dumps(growth(Path(name) / "growth", asked.growth_trials)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
