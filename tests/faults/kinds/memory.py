"""Processes that run out of memory or of processes."""

import resource
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.faults.harness.marked import limit
from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import EVERYWHERE, PROCESSES

MIB = 2**20
OUT_OF_MEMORY = "a trial that runs out of memory is INFEASIBLE, as promised: it has no end to compare"


def _limited(role: str, part: str, spare_mib: int) -> Callable[[Run], None]:
    """Let processes have so much more memory than they have, from a moment on."""

    def inject(run: Run) -> None:
        run.start("launcher.retries=20")
        run.moment(part)
        for process in getattr(run, role):
            _limit(process, spare_mib * MIB)
        _wait(run)

    return inject


def _wait(run: Run) -> None:
    run.wait()
    if any(b"out of memory" in file.read_bytes() for file in run.folder.glob("studies/*/events/*.jsonl")):
        run.only_alike = OUT_OF_MEMORY


def _limit(process: psutil.Process, spare: int) -> None:
    with suppress(psutil.Error):
        limit([process], resource.RLIMIT_AS, process.memory_info().vms + spare)


kind("no memory for a worker", under=PROCESSES, ci=True)(_limited("workers", "middle", 0))
kind("little memory for a worker", under=PROCESSES)(_limited("workers", "middle", 4))
kind("no memory for the driver", under=EVERYWHERE)(_limited("driver", "middle", 0))
kind("little memory for the driver", under=EVERYWHERE)(_limited("driver", "middle", 8))
kind("no memory for the driver at the end", under=EVERYWHERE)(_limited("driver", "end", 2))


@kind("little memory from the start", under=EVERYWHERE)
def little_memory(run: Run) -> None:
    most = int(run.random.uniform(100, 1500)) * MIB
    run.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)))
    _wait(run)


@kind("no processor time left", under=PROCESSES)
def no_processor_time(run: Run) -> None:
    run.start("launcher.retries=20")
    run.moment("middle")
    limit(run.workers[:1], resource.RLIMIT_CPU, 1)
    run.expect(0)
