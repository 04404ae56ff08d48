"""A worker that imports while the driver still reads what to train."""

import os
import queue
from collections.abc import Mapping
from pathlib import Path

from hpsearch.base.lineage import marked, new_mark
from hpsearch.launch.devices import THREAD_VARIABLES, visible_gpus, worker_environment
from hpsearch.launch.process import WorkerProcess
from hpsearch.launch.template import may_fork

_LOG_BYTES = 2**20
_FIXED = (*THREAD_VARIABLES, "CUDA_VISIBLE_DEVICES")
"""What of its environment a process cannot change once it has imported."""

_waiting: list["_Early"] = []


class _Early:
    """A worker that nobody has taken yet, with the environment that a launcher gives by default."""

    def __init__(self, module: str) -> None:
        gpus = visible_gpus()
        self.module, self.environment = module, marked(worker_environment(0, 1, gpus), new_mark())
        self.worker = WorkerProcess(
            Path(os.devnull), _LOG_BYTES, self.environment, queue.SimpleQueue(), module, forks=may_fork(module, gpus)
        )

    def fits(self, module: str, environment: Mapping[str, str]) -> bool:
        return module == self.module and all(self.environment.get(key) == environment.get(key) for key in _FIXED)


def start(module: str) -> None:
    """Start a worker that imports a module, for the launcher that comes; it is killed where none takes it."""
    _waiting.append(_Early(module))


def taken(module: str, environment: Mapping[str, str]) -> WorkerProcess | None:
    """Return the worker that was started early, once.

    Args:
        module: that it should have imported.
        environment: that it should have.

    Returns:
        The worker; None where there is none, or one that imported something else or computes with other threads.
    """
    for early in _waiting:
        if early.fits(module, environment):
            _waiting.remove(early)
            return early.worker
    dismiss()
    return None


def dismiss() -> None:
    """Kill the worker that nobody took."""
    while _waiting:
        _waiting.pop().worker.kill()
