"""An MLflow server between the run and its store, which is killed, stopped or interrupted."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

import psutil

from hpsearch.tracking.ui import free_port
from tests.faults.harness.marked import send
from tests.faults.harness.registry import kind
from tests.faults.harness.run import LIMIT_SEC, Run

FEW_PROCESSES = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # else it starts seven more
SERVED = ("grid", "grid fused")


class Server:
    """`mlflow server` over the store in the run's folder, so that checks read the same file."""

    def __init__(self, run: Run) -> None:
        self.run, self.port = run, free_port(20_000 + run.random.randrange(20_000))
        run.always = (f"tracker.uri=http://127.0.0.1:{self.port}", "tracker.timeout_sec=5")
        self.start()
        run.cleanups.append(self.stop)

    def start(self) -> None:
        """Start it and wait until it answers."""
        place = self.run.place
        words = ["--workers", "1", "--host", "127.0.0.1", "--port", str(self.port)]
        words += ["--backend-store-uri", f"sqlite:///{self.run.folder / 'mlflow.db'}"]
        words += ["--default-artifact-root", (self.run.folder / "mlartifacts").as_uri()]
        with (place / "server.txt").open("ab") as log:
            line = [sys.executable, "-m", "mlflow", "server", *words]
            self.process = subprocess.Popen(
                line, cwd=place, stdout=log, stderr=log, start_new_session=True, env=os.environ | FEW_PROCESSES
            )
        deadline = time.monotonic() + LIMIT_SEC
        while not self.answers() and time.monotonic() < deadline:
            time.sleep(0.1)

    def answers(self) -> bool:
        """Return whether it answers."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2):
            return True
        return False

    @property
    def processes(self) -> list[psutil.Process]:
        """It and its workers."""
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(self.process.pid)
            return [server, *server.children(recursive=True)]
        return []

    def stop(self) -> None:
        """Kill it."""
        send(self.processes)
        self.process.wait()


@kind("MLflow server killed and started again", under=SERVED)
def server_killed(run: Run) -> None:
    server = Server(run)
    run.start()
    run.moment("middle")
    server.stop()
    time.sleep(run.random.uniform(0, 2))
    server.start()


@kind("MLflow server stopped for a while", under=SERVED)
def server_stopped(run: Run) -> None:
    server = Server(run)
    run.start()
    run.moment()
    stopped = server.processes
    run.kill(stopped, signal.SIGSTOP)
    time.sleep(run.random.uniform(0, 6))
    run.kill(stopped, signal.SIGCONT)


@kind("MLflow server and driver killed", under=SERVED)
def server_and_driver_killed(run: Run) -> None:
    server = Server(run)
    run.start()
    run.moment("middle")
    server.stop()
    run.kill(run.driver)
    run.wait()
    server.start()


@kind("MLflow server terminated while the run waits for it", under=SERVED)
def server_terminated(run: Run) -> None:
    server = Server(run)
    run.start()
    run.moment("end")
    run.kill(server.processes, signal.SIGTERM)
    server.process.wait()
    server.start()


@kind("sync killed", under=("grid", "grid fused", "grid inline", "own code"), ci=True)
def sync_killed(run: Run) -> None:
    run.start("tracker.wait=false")
    run.wait()
    for _ in range(2):
        sync = run.command("sync")
        time.sleep(run.random.uniform(0.3, 1.5))
        sync.kill()
        sync.wait()
    run.start()
    run.expect(0)
