"""Signals to the processes of a run, one or several, at the start, in the middle and at the end."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import EVERYWHERE, OWN_CODE, PROCESSES, PROGRAMS

ENDS = {"terminated": signal.SIGTERM, "hung up": signal.SIGHUP, "quit": signal.SIGQUIT, "killed": signal.SIGKILL}
AGAIN = "launcher.retries=20"
"""The death of a worker costs its trial a retry: none is to run out of them."""


def _survives(run: Run) -> None:
    """Expect the command to go on; what stages ask a worker is not asked again, and may end it in one line."""
    run.expect(*((0, 1) if run.surroundings.name.startswith(("recipe", "ablation")) else (0,)))


def _driver(number: int, part: str | None) -> Callable[[Run], None]:
    def inject(run: Run) -> None:
        run.start()
        run.moment(part)
        run.kill(run.driver, number)
        run.expect(130, 0, -number)

    return inject


def _workers(number: int, which: slice) -> Callable[[Run], None]:
    def inject(run: Run) -> None:
        run.start(AGAIN)
        run.moment("middle")
        run.kill(run.workers[which], number)
        _survives(run)

    return inject


def _group(number: int) -> Callable[[Run], None]:
    def inject(run: Run) -> None:
        process = run.start()
        run.moment()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    return inject


for _name, _number in ENDS.items():
    kind(f"driver {_name}", under=EVERYWHERE, ci=_name == "killed")(_driver(_number, None))
    kind(f"worker {_name}", under=PROCESSES, ci=_name == "killed")(_workers(_number, slice(1)))
    kind(f"group {_name}", under=EVERYWHERE)(_group(_number))
for _part in ("start", "end"):
    kind(f"driver killed at the {_part}", under=EVERYWHERE)(_driver(signal.SIGKILL, _part))
kind("worker interrupted", under=PROCESSES)(_workers(signal.SIGINT, slice(None)))
kind("worker with a segmentation fault", under=PROCESSES)(_workers(signal.SIGSEGV, slice(1)))
kind("all workers killed", under=PROCESSES, ci=True)(_workers(signal.SIGKILL, slice(None)))
kind("group interrupted", under=EVERYWHERE)(_group(signal.SIGINT))


def _interrupted(part: str, times: int) -> Callable[[Run], None]:
    def inject(run: Run) -> None:
        run.start()
        run.moment(part)
        for _ in range(times):
            run.kill(run.driver, signal.SIGINT)
            time.sleep(run.random.uniform(0, 0.2))
        run.expect(130, 0)

    return inject


kind("interrupted at the start", under=EVERYWHERE, ci=True)(_interrupted("start", 1))
kind("interrupted once", under=EVERYWHERE)(_interrupted("middle", 1))
kind("interrupted twice", under=EVERYWHERE)(_interrupted("middle", 2))
kind("interrupted ten times", under=EVERYWHERE)(_interrupted("middle", 10))
kind("interrupted at the end", under=EVERYWHERE)(_interrupted("end", 1))


def _stopped(role: str, part: str | None) -> Callable[[Run], None]:
    """Let processes stand still for a while."""

    def inject(run: Run) -> None:
        run.start()
        run.moment(part)
        stopped = getattr(run, role)
        run.kill(stopped, signal.SIGSTOP)
        time.sleep(run.random.uniform(0, 2))
        run.kill(stopped, signal.SIGCONT)
        run.expect(0)

    return inject


kind("driver stopped for a while", under=EVERYWHERE)(_stopped("driver", None))
kind("workers stopped for a while", under=PROCESSES)(_stopped("workers", "middle"))


@kind("worker stopped for good", under=PROCESSES)
def worker_stopped_for_good(run: Run) -> None:
    run.start("launcher.grace_sec=0.5")
    run.moment("middle")
    run.kill(run.workers[:1], signal.SIGSTOP)
    time.sleep(run.random.uniform(0, 1))
    run.kill(run.driver, signal.SIGINT)
    run.expect(130, 0)


@kind("driver killed while a worker is stopped", under=PROCESSES)
def driver_killed_beside_a_stopped_worker(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill(run.workers[:1], signal.SIGSTOP)
    run.kill(run.driver)


@kind("driver and workers killed together", under=PROCESSES, ci=True)
def everything_killed(run: Run) -> None:
    run.start()
    run.moment()
    run.kill([*run.driver, *run.others])


@kind("everything killed but the driver", under=PROCESSES)
def everything_else_killed(run: Run) -> None:
    run.start(AGAIN)
    run.moment("middle")
    run.kill(run.others)
    _survives(run)


@kind("driver killed three times", under=EVERYWHERE)
def driver_killed_three_times(run: Run) -> None:
    for _ in range(3):
        run.start()
        run.moment()
        run.kill(run.driver)
        run.wait()


@kind("worker killed again and again", under=PROCESSES)
def worker_killed_again_and_again(run: Run) -> None:
    run.start(AGAIN)
    run.moment("middle")
    for _ in range(4):
        run.kill(run.workers[:1])
        time.sleep(run.random.uniform(0, 0.3))
    _survives(run)


@kind("interrupted, then killed", under=EVERYWHERE)
def interrupted_then_killed(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill(run.driver, signal.SIGINT)
    time.sleep(run.random.uniform(0, 0.3))
    run.kill(run.driver)


@kind("program killed", under=PROGRAMS, ci=True)
def program_killed(run: Run) -> None:
    run.start(AGAIN)
    run.moment("middle")
    run.wait_until(lambda: bool(run.programs), limit_sec=5)
    run.kill(run.programs[:1])
    run.expect(0)


kind("program stopped for a while", under=PROGRAMS)(_stopped("programs", "middle"))


@kind("trial that kills its worker", under=OWN_CODE)
def trial_kills_its_worker(run: Run) -> None:
    run.in_trials("import os, signal\nif os.urandom(1)[0] < 13: os.kill(os.getpid(), signal.SIGKILL)")
    run.start(AGAIN)
    run.moment("middle")
    run.as_before()
    run.expect(0)
