"""Worker processes on this machine."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hpsearch.base import lineage
from hpsearch.base.leftovers import temporary_folder
from hpsearch.base.types import Clock
from hpsearch.launch import early
from hpsearch.launch.devices import visible_gpus, worker_count, worker_environment
from hpsearch.launch.frames import HELLO
from hpsearch.launch.process import WorkerProcess
from hpsearch.launch.slots import SlotLauncher
from hpsearch.launch.template import Template, may_fork


class ProcessLauncher(SlotLauncher):
    """Trains in worker processes that are started once, import once and train many trials, `width` at once in each.

    Args:
        workers: number of processes; ``auto``: as many as the GPUs have room for, without GPUs one per `threads` usable
            cores.
        gpus_per_trial: GPUs that a worker sees; a fraction 1 / n: n workers share each.
        threads: threads that a worker computes with.
        retries: how often a trial is tried again after an error of its own or the death of its worker.
        grace_sec: how long a trial that was told to stop or to pause may take before whoever told it
            kills it.
        paused: how many paused loops of a user's own wait per worker; ``auto``: as many as the memory allows, none
            on a GPU.
        lockstep: a trial waits after every message until `decide` answers it.
        fuse: whether a worker trains trials as one program: ``auto`` where that is faster, ``on``, ``off``, or how many
            at most.
        log_folder: what worker N prints while it trains nothing goes to ``worker-N.log`` here; None: to a folder that
            `stop` removes. What a trial prints goes to ``log.txt`` in the trial's folder.
        log_mib: how large a log may be, in MiB; of a longer one the first and the last half are kept.
        clock: monotonic seconds.

    Raises:
        ConfigError: `workers` or `threads` is not a positive whole number, or the GPUs cannot be shared so.
    """

    def __init__(
        self,
        workers: int | str = "auto",
        threads: int = 1,
        lockstep: bool = False,
        retries: int = 2,
        grace_sec: float = 10.0,
        log_folder: str | Path | None = None,
        log_mib: float = 1.0,
        paused: int | str = "auto",
        fuse: bool | int | str = "auto",
        gpus_per_trial: float = 1,
        clock: Clock = time.monotonic,
    ) -> None:
        self._gpus = visible_gpus()
        count = worker_count(workers, threads, self._gpus, gpus_per_trial)
        super().__init__(count, lockstep, retries, grace_sec, paused, fuse, clock)
        self._threads, self._log_folder = threads, log_folder
        self._gpus_per_trial = gpus_per_trial
        self._log_limit = round(log_mib * 2**20)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._mark = lineage.new_mark()
        self._marks = {self._mark}

    def _begun(self, module: str) -> Sequence[WorkerProcess]:
        """Start every worker; the first one imports for all of them where it forks."""
        first = self._first(module)
        return [first, *(self._spawn(index, first.template) for index in range(1, self._workers))]

    def _end(self) -> None:
        for mark in self._marks:
            lineage.end_marked(mark)
        if self._temporary:
            self._temporary.cleanup()
            self._temporary = self._log_folder = None

    def _first(self, module: str) -> WorkerProcess:
        """Return the worker of the first slot, which imports already where it was started early."""
        environment = self._environment(0)
        worker = early.taken(module, environment)
        if worker is None:
            forks = self._workers > 1 and may_fork(module, self._gpus)
            worker = WorkerProcess(self._log(0), self._log_limit, environment, self._inbox, module, forks=forks)
        else:
            worker.log_to(self._log(0), self._log_limit)
            self._inbox = worker.inbox
            self._marks.add(worker.started_by)
        if worker.template is not None:
            worker.template.expect(self._workers - 1)
        worker.send(HELLO, self._hello)
        return worker

    def _spawn(self, index: int, template: Template | None = None) -> WorkerProcess:
        environment = self._environment(index)
        worker = WorkerProcess(self._log(index), self._log_limit, environment, self._inbox, template=template)
        worker.send(HELLO, self._hello)
        return worker

    def _environment(self, index: int) -> dict[str, str]:
        environment = worker_environment(index, self._threads, self._gpus, self._gpus_per_trial)
        return lineage.marked(environment, self._mark)

    def _log(self, index: int) -> Path:
        if self._log_folder is None:
            self._temporary = temporary_folder()
            self._log_folder = self._temporary.name
        folder = Path(self._log_folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"worker-{index}.log"
