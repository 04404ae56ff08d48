"""Workers in jobs of Slurm."""

import math
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError, MachineError
from hpsearch.base.leftovers import temporary_folder
from hpsearch.base.threads import start_thread
from hpsearch.base.types import Clock, Decision, Given, TrialId, TrialState
from hpsearch.launch import early
from hpsearch.launch.base import Ended, LauncherEvent
from hpsearch.launch.frames import DECIDE, HELLO
from hpsearch.launch.limits import gpu_share
from hpsearch.launch.slot import Slot, Worker
from hpsearch.launch.slots import SlotLauncher
from hpsearch.launch.slurm.agent import NOTICE, TOKEN, About, Call, Start
from hpsearch.launch.slurm.jobs import ANY_PORT, Job, Listener, RemoteWorker
from hpsearch.launch.slurm.submitted import ASK_SEC, Needs, Submitter
from hpsearch.launch.slurm.wire import Wire, write_token
from hpsearch.launch.versions import facts

AUTO = "auto"
_SAY_SEC = 3.0
"""After so long a user is told what is waited for."""
_CANCEL_SEC = 5.0


class SlurmLauncher(SlotLauncher):
    """Trains in workers that jobs of Slurm start; a job that waits in the queue is waited for, the others train.

    The working folder and the environment are those of the driver: the nodes share both with it. A job that is told
    that it ends soon (its time limit, preemption) lets its trials write a checkpoint and leave, at no cost; they go on
    in another job, which is submitted then. One that ends without a word costs its trials an attempt.

    Args:
        workers: number of workers; a job has one, or as many as share its GPU.
        gpus_per_trial: GPUs that a worker sees; a fraction 1 / n: n workers of one job share its GPU; None: none.
        threads: threads that a worker computes with, as many cores are asked for.
        partition: of Slurm; None: its default.
        time_min: time limit of a job, in minutes.
        memory_gib: that a job asks for; None: Slurm's default.
        sbatch: further options of sbatch, by name.
        notice_sec: so long before the end of its time a job is told.
        address: of this machine, as the nodes reach it; ``auto``: that of its name, or the one that faces Slurm.
        port: where it listens; 0: one that is free.
        executor: ``slurm``, or ``local`` to try it out in processes of this machine.
        retries: how often a trial is tried again after an error of its own or the death of its worker.
        grace_sec: how long a trial that was told to stop or to pause may take before whoever told it kills it.
        paused: how many paused loops of a user's own wait per worker; ``auto``: as many as the memory allows.
        lockstep: a trial waits after every message until `decide` answers it; nothing begins before every job runs.
        fuse: whether a worker trains trials as one program: ``auto`` where that is faster, ``on``, ``off``, or how many
            at most.
        log_mib: how large a log may be, in MiB.
        clock: monotonic seconds.

    Raises:
        ConfigError: a number is not as it must be.
    """

    always_up = False

    def __init__(
        self,
        workers: int = 4,
        gpus_per_trial: float | None = None,
        threads: int = 1,
        partition: str | None = None,
        time_min: int = 60,
        memory_gib: float | None = None,
        sbatch: Mapping[str, Any] | None = None,
        notice_sec: int = 90,
        address: str = AUTO,
        port: int = ANY_PORT,
        executor: str = "slurm",
        lockstep: bool = False,
        retries: int = 2,
        grace_sec: float = 10.0,
        log_mib: float = 1.0,
        paused: int | str = "auto",
        fuse: bool | int | str = "auto",
        clock: Clock = time.monotonic,
    ) -> None:
        for name, value in (("workers", workers), ("threads", threads), ("time_min", time_min)):
            if type(value) is not int or value < 1:
                raise ConfigError(f"launcher.{name}={value}: it must be a whole number from 1")
        if notice_sec >= 60 * time_min:
            raise ConfigError(f"launcher.notice_sec={notice_sec}: launcher.time_min={time_min} leaves no time")
        if gpus_per_trial is not None:
            gpu_share("launcher.gpus_per_trial", gpus_per_trial)
        super().__init__(workers, lockstep, retries, grace_sec, paused, fuse, clock)
        self._threads, self._gpus = threads, gpus_per_trial or 0
        self._per_job = round(1 / self._gpus) if 0 < self._gpus < 1 else 1
        self._needs = Needs(
            threads * self._per_job, math.ceil(self._gpus), time_min, notice_sec, partition, memory_gib, sbatch
        )
        self._executor, self._address, self._port = executor, address, port
        self._log_bytes = round(log_mib * 2**20)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._submitter: Submitter
        self._listener: Listener | None = None
        self._call: Call
        self._numbers = 0
        self._jobs: dict[int, Job] = {}
        self._every: dict[int, Job] = {}
        self._over = threading.Event()
        self._refusal = ""
        self._leaving: set[TrialId] = set()
        self._told: set[TrialId] = set()

    def _begun(self, module: str) -> Sequence[Worker]:  # noqa: ARG002
        """Submit every job; none of them need run yet."""
        early.dismiss()
        studies = Path.cwd() / "studies"
        studies.mkdir(exist_ok=True)
        self._folder = temporary_folder(studies)
        folder = Path(self._folder.name)
        try:
            self._submitter = Submitter(self._executor, folder, self._needs)
            host = _address(self._address, self._executor)
            self._listener = Listener(host, self._port, write_token(folder / TOKEN), self._take)
            self._call = Call(str(folder), host, self._listener.port, 0, str(Path.cwd()))
            workers = [self._spawn(index) for index in range(self._workers)]
        except BaseException:
            self._end()
            raise
        start_thread(self._look_after_jobs, name="jobs that wait")
        return workers

    def _spawn(self, index: int) -> RemoteWorker:
        """Return another worker for a slot, in its job; in a new one where that is gone, or goes."""
        place, seat = divmod(index, self._per_job)
        job = self._jobs.get(place)
        if job is None or job.over or job.leaving:
            job = self._jobs[place] = self._submitted()
            self._touched.update(range(len(self._slots)))
        self._numbers += 1
        worker = RemoteWorker(job, self._numbers, self._inbox)
        log = str(Path(self._call.folder, f"worker-{index}.log"))
        worker.start(Start(seat, self._threads, self._gpus or 1, log, self._log_bytes))
        worker.send(HELLO, self._hello)
        return worker

    def _submitted(self) -> Job:
        number = len(self._every)
        kind = "Slurm job" if self._executor == "slurm" else "local job"
        name = f"{kind} {self._submitter.submit(replace(self._call, job=number))}"
        job = self._every[number] = Job(number, name, self._how_it_ended)
        return job

    def _take(self, wire: Wire, about: About) -> None:
        """Let a job go on that has called; one of another version is refused."""
        while (job := self._every.get(about.job)) is None and not self._over.wait(0.01):
            pass  # it may call before it is noted that it was submitted
        if job is None or job.is_connected:
            wire.close()
            return
        if unlike := facts(socket.gethostname()).unlike(about.facts):
            self._refusal = f"{about.facts.node} has {unlike}: use the same environment there, or results differ"
        job.connect(wire, about.facts.node)

    def _look_after_jobs(self) -> None:
        """Note which jobs have ended that never called."""
        while not self._over.wait(ASK_SEC[self._executor]):
            waiting = {n: job for n, job in list(self._every.items()) if not (job.is_connected or job.over)}
            for number, standing in (self._submitter.standings(list(waiting)) if waiting else {}).items():
                job = waiting[number]
                if standing.over and not job.is_connected:
                    if said := self._submitter.error_of(job.number):
                        self._refusal = f"{job.name} could not begin: {said}"
                    job.lose(f"ended before it called: {self._how_it_ended(job)}")

    def _how_it_ended(self, job: Job) -> str:
        if self._over.is_set():
            return "was ended"
        state = self._submitter.standing(job.number).state
        return "\n".join([f"is {state}", *self._submitter.last_lines(job.number)])

    def _is_up(self, slot: Slot) -> bool:
        """Return whether the job of a slot runs; in lockstep, where which one runs must not matter, whether all do."""
        jobs = [_job(each) for each in self._slots] if self.lockstep else [_job(slot)]
        return all(job.is_up for job in jobs)

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:
        """Run `function(*args)` in a free worker, of the first job that runs; see `SlotLauncher.call`.

        Args:
            function: importable by name.
            *args: anything that pickles.
            within_sec: how long it may take, once a job runs; None: any time.

        Returns:
            What it returns.
        """
        self._wait_for_one()
        return super().call(function, *args, within_sec=within_sec)

    def _wait_for_one(self) -> None:
        say_at = self._clock() + _SAY_SEC
        while not any(self._is_up(slot) for slot in self._slots):
            events = self.poll(0.2)
            self._events += events
            if self._clock() > say_at:
                say_at = math.inf
                job = next(iter(self._jobs.values()))
                standing = self._submitter.standing(job.number)
                why = f"{standing.state} ({standing.reason})" if standing.reason else standing.state
                sys.stderr.write(f"waiting for the first of {len(self._jobs)} jobs: {job.name} is {why}\n")

    def machine(self, slot: int) -> str:
        """Return the name of the machine that the job of a slot runs on."""
        return _job(self._slots[slot % self._workers]).machine

    def poll(self, timeout_sec: float) -> list[LauncherEvent]:
        """Return what happened, see `SlotLauncher.poll`; a trial that left its job in time begins again elsewhere."""
        events = [self._seen(event) for event in super().poll(timeout_sec)]
        if self._refusal:
            self.stop(now=True)
            raise MachineError(self._refusal)
        for job in {_job(slot) for slot in self._slots}:
            if job.leaving and not any(slot.tasks for slot in self._slots if _job(slot) is job):
                job.end()
        return events

    def _seen(self, event: LauncherEvent) -> LauncherEvent:
        if not isinstance(event, Ended):
            return event
        leaves = event.trial in self._leaving and event.trial not in self._told
        self._leaving.discard(event.trial)
        self._told.discard(event.trial)
        if leaves and event.result.state is TrialState.PAUSED:
            return replace(event, result=replace(event.result, state=TrialState.WAITING, reason="its job ends"))
        return event

    def decide(self, trial: TrialId, decision: Decision | Given) -> None:
        """Send a decision to a running trial, see `SlotLauncher.decide`."""
        if decision in (Decision.PAUSE, Decision.LEAVE):
            self._told.add(trial)
        super().decide(trial, decision)

    def _handle(self, worker: Worker, kind: bytes, payload: bytes) -> None:
        if kind != NOTICE:
            super()._handle(worker, kind, payload)
            return
        assert isinstance(worker, RemoteWorker)
        worker.job.leaving = True  # only here: what is free is not to change between two looks
        self._touched.update(range(len(self._slots)))
        for slot in self._slots:
            if worker is slot.worker:
                for trial in slot.trials:
                    self._leaving.add(trial)
                    worker.send(DECIDE, pickle.dumps((trial, Decision.LEAVE)))

    def stop(self, now: bool = False) -> None:
        """End the workers and their jobs, those that wait in the queue too."""
        if now:
            self._over.set()
        super().stop(now=now)

    def _end(self) -> None:
        self._over.set()
        jobs = list(self._every.values())
        for job in jobs:
            job.end()
        deadline = self._clock() + _CANCEL_SEC
        while self._clock() < deadline and any(job.is_connected and not job.over for job in jobs):
            time.sleep(0.02)
        for job in jobs:
            with suppress(Exception):  # it may have ended by itself
                self._submitter.end(job.number, cancel=not (job.is_connected and job.over))
        if self._listener is not None:
            self._listener.close()
        if self._folder is not None:
            self._folder.cleanup()
            with suppress(OSError):  # it holds studies
                Path(self._folder.name).parent.rmdir()
        self._folder = self._listener = None
        self._every, self._jobs = {}, {}


def _job(slot: Slot) -> Job:
    assert isinstance(slot.worker, RemoteWorker)
    return slot.worker.job


def _address(given: str, executor: str) -> str:
    """Return the address of this machine that the nodes reach.

    Raises:
        ConfigError: a name that is none.
    """
    if given != AUTO:
        try:
            return str(socket.getaddrinfo(given, None, type=socket.SOCK_STREAM)[0][4][0])
        except OSError:
            raise ConfigError(f"launcher.address={given}: this machine does not know that address") from None
    if executor == "local":
        return "127.0.0.1"
    with suppress(OSError):
        own = str(socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)[0][4][0])
        if not own.startswith("127.") and own != "::1":
            return own
    return _towards(_control_host())


def _control_host() -> str:
    """Return the machine of Slurm's controller."""
    with suppress(OSError, subprocess.SubprocessError):
        asked = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=10, check=False)
        if found := re.search(r" at (\S+) is ", asked.stdout):
            return found[1]
    return "127.0.0.1"


def _towards(host: str) -> str:
    """Return the address by which this machine reaches another."""
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 1))  # sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"
