"""Jobs of Slurm through submitit, which is imported when the first one is submitted."""

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hpsearch.base.errors import ConfigError, MachineError
from hpsearch.launch.slurm import agent

_PACKAGES = Path(__file__).parents[3]
"""From where a job imports this package."""
ASK_SEC = {"slurm": 10.0, "local": 0.5}
"""How often is asked how jobs stand that have not called yet."""
_ANSWER_SEC = 20.0
_LOG_LINES = 16
_ENDED = frozenset((
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
))
_OF_A_JOB, _CONF = ("SLURM_", "SUBMITIT_"), "SLURM_CONF"
_SAYS = f"{MachineError.__module__}.{MachineError.__name__}: "
UNKNOWN = "not in Slurm's queue any more"


class _Submitted(Protocol):
    job_id: str

    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands.

    Attributes:
        state: in Slurm's words; `UNKNOWN` where Slurm does not know it any more.
        reason: why it waits.
        over: whether it has ended.
    """

    state: str
    reason: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job asks for.

    Attributes:
        cores: of the processor.
        gpus: whole ones.
        time_min: time limit.
        notice_sec: so long before its end the job is told.
        partition: of Slurm; None: its default.
        memory_gib: memory; None: Slurm's default.
        sbatch: further options of sbatch, by name.
    """

    cores: int
    gpus: int
    time_min: int
    notice_sec: int
    partition: str | None = None
    memory_gib: float | None = None
    sbatch: Mapping[str, Any] | None = None

    def for_slurm(self) -> dict[str, Any]:
        """Return the parameters of submitit's executor for Slurm."""
        given = {
            "job_name": "hpsearch",
            "time": self.time_min,
            "signal_delay_s": self.notice_sec,
            "cpus_per_task": self.cores,
            "gpus_per_node": self.gpus or None,
            "partition": self.partition,
            "mem": None if self.memory_gib is None else f"{round(self.memory_gib * 1024)}M",
            "setup": [f"export PYTHONPATH={shlex.quote(str(_PACKAGES))}${{PYTHONPATH:+:$PYTHONPATH}}"],
            "additional_parameters": {"no-requeue": True, **(self.sbatch or {})},  # another job is submitted instead
        }
        return {name: value for name, value in given.items() if value is not None}

    def for_local(self) -> dict[str, Any]:
        """Return the parameters of submitit's executor of local processes."""
        return {"timeout_min": self.time_min, "signal_delay_s": self.notice_sec, "gpus_per_node": self.gpus}


_SILENT = Standing("unknown: squeue does not answer")


class Submitter:
    """Submits jobs, says how they stand, cancels them.

    Args:
        executor: ``slurm``, or ``local`` for processes on this machine.
        folder: what submitit writes, which both machines share.
        needs: of each job.

    Raises:
        ConfigError: submitit is not installed, or there is no Slurm here.
    """

    def __init__(self, executor: str, folder: Path, needs: Needs) -> None:
        self.executor, self._folder = executor, folder
        try:
            import submitit
        except ImportError:
            raise ConfigError(
                "launcher = slurm: needs submitit, which is not installed: pip install 'hpsearch[slurm]'"
            ) from None
        if executor == "slurm" and shutil.which("sbatch") is None:
            raise ConfigError(
                "launcher=slurm: sbatch is not on the PATH: jobs are submitted on a machine of the cluster; "
                "launcher=processes trains here"
            )
        self._executor = (submitit.SlurmExecutor if executor == "slurm" else submitit.LocalExecutor)(folder)
        self._executor.update_parameters(**(needs.for_slurm() if executor == "slurm" else needs.for_local()))
        self._jobs: dict[int, _Submitted] = {}

    def submit(self, call: agent.Call) -> str:
        """Submit a job.

        Args:
            call: that it runs; the number in it is the job's.

        Returns:
            Its id.

        Raises:
            ConfigError: Slurm refuses it.
        """
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), _no_job(), _deaf_to_ctrl_c():
            warnings.simplefilter("ignore")
            try:
                job = self._executor.submit(agent.main, call)
            except Exception as error:
                said = re.split("sbatch: (?:error|fatal): ", " ".join(str(error).split()))[-1]
                raise ConfigError(f"launcher=slurm: Slurm takes no job: {said}") from None
        self._jobs[call.job] = job
        return str(job.job_id)

    def standings(self, jobs: Sequence[int]) -> dict[int, Standing]:
        """Return how jobs stand, whom Slurm is asked for at once."""
        if self.executor == "local":
            states = {job: str(getattr(self._jobs[job], "state", UNKNOWN)) for job in jobs}
            return {job: Standing(state, over=state != "RUNNING") for job, state in states.items()}
        numbers = {str(self._jobs[job].job_id): job for job in jobs}
        command = ["squeue", "--noheader", "--states=all", "--format=%A %T %r", f"--jobs={','.join(numbers)}"]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SEC, check=False)
        except (OSError, subprocess.SubprocessError):
            return dict.fromkeys(jobs, _SILENT)
        if asked.returncode != 0 and "Invalid job id" not in asked.stderr:
            return dict.fromkeys(jobs, _SILENT)
        found = dict.fromkeys(jobs, Standing(UNKNOWN, over=True))
        for line in asked.stdout.splitlines():
            number, state, *reason = line.split(maxsplit=2)
            said = "" if reason in ([], ["None"]) else reason[0]
            found[numbers[number]] = Standing(state, said, state in _ENDED)
        return found

    def standing(self, job: int) -> Standing:
        """Return how a job stands."""
        return self.standings([job])[job]

    def end(self, job: int, cancel: bool) -> None:
        """Take leave of a job.

        Args:
            job: its number.
            cancel: end it, or take it out of the queue; else it ends by itself.
        """
        submitted: Any = self._jobs[job]
        if self.executor == "local":
            if cancel:
                submitted._process.kill()  # what it started finds its driver gone
            submitted._process.wait(_ANSWER_SEC)
        elif cancel:
            submitted.cancel()

    def last_lines(self, job: int) -> list[str]:
        """Return the end of what a job printed itself."""
        for kind in ("err", "out"):
            path = self._folder / f"{self._jobs[job].job_id}_0_log.{kind}"
            if path.is_file() and (lines := path.read_text(errors="replace").splitlines()):
                return lines[-_LOG_LINES:]
        return []

    def error_of(self, job: int) -> str:
        """Return what kept a job from beginning, in a line; the empty string where it did not say."""
        said = [line.partition(_SAYS)[2] for line in self.last_lines(job) if line.startswith(_SAYS)]
        return said[-1] if said else ""


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let processes that are started here not hear of Ctrl-C, which is for the driver: it pauses what they train."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _no_job() -> Iterator[None]:
    """Hide that this process is part of a job itself, whose share of memory and cores another job would inherit."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_OF_A_JOB) and name != _CONF}
    try:
        yield
    finally:
        os.environ.update(hidden)
