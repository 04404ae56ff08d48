"""Signals to the processes of a run."""

import signal
import time

from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import EVERYWHERE, PROCESSES


@kind("driver killed", under=EVERYWHERE, ci=True)
def driver_killed(run: Run) -> None:
    run.start()
    run.moment()
    run.kill(run.driver)


@kind("worker killed", under=PROCESSES, ci=True)
def worker_killed(run: Run) -> None:
    run.start("launcher.retries=20")
    run.moment("middle")
    run.kill(run.workers[:1])


@kind("interrupted once", under=EVERYWHERE, ci=True)
def interrupted_once(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill(run.driver, signal.SIGINT)
    run.expect(130, 0)


@kind("interrupted twice", under=EVERYWHERE, ci=True)
def interrupted_twice(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill(run.driver, signal.SIGINT)
    time.sleep(run.random.uniform(0, 0.2))
    run.kill(run.driver, signal.SIGINT)
    run.expect(130, 0)
