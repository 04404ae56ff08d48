"""How many workers a machine feeds, and the environment each of them gets."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from hpsearch.base import platform
from hpsearch.base.errors import ConfigError

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def visible_gpus(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the CUDA devices this process may use, as CUDA_VISIBLE_DEVICES names them, without importing torch."""
    if "CUDA_VISIBLE_DEVICES" in environ:
        names = [name.strip() for name in environ["CUDA_VISIBLE_DEVICES"].split(",")]
        return tuple(name for name in names if name not in ("", "-1"))
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return parse_listing(listing.stdout) if listing.returncode == 0 else ()


def parse_listing(text: str) -> tuple[str, ...]:
    """Return the devices in the output of ``nvidia-smi -L``: indices, or the MIG slices where a GPU is cut up."""
    lines = [line.strip() for line in text.splitlines()]
    slices = [line.rpartition("UUID: ")[2].rstrip(")") for line in lines if line.startswith("MIG ")]
    return tuple(slices) or tuple(str(index) for index, _ in enumerate(line for line in lines if line[:4] == "GPU "))


def usable_cores() -> int:
    """Return the cores this process may use: physical ones, within its affinity mask and its container's quota."""
    import psutil

    allowed = platform.usable_cores()
    limits = [allowed, psutil.cpu_count(logical=False) or allowed, platform.core_quota() or allowed]
    return max(1, min(limits))


def worker_count(workers: int | str, threads: int, gpus: Sequence[str]) -> int:
    """Return the number of worker processes.

    Args:
        workers: a number, or ``auto``: one per GPU, without GPUs one per `threads` usable cores.
        threads: threads per worker.
        gpus: the usable CUDA devices.

    Returns:
        At least 1.

    Raises:
        ConfigError: `workers` or `threads` is not a positive whole number.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if (name, value) != ("workers", "auto") and (type(value) is not int or value < 1):
            allowed = "auto or a whole number from 1" if name == "workers" else "a whole number from 1"
            raise ConfigError(f"launcher.{name}={value}: it must be {allowed}")
    if isinstance(workers, int):
        return workers
    return len(gpus) or max(1, usable_cores() // threads)


def worker_environment(slot: int, threads: int, gpus: Sequence[str]) -> dict[str, str]:
    """Return the environment of the worker of a slot: its share of the threads, and its GPU in turn.

    Sets of texts are in the same order in every worker, unless the user's own environment says otherwise.
    """
    environment = {"PYTHONHASHSEED": "0"} | dict(os.environ) | dict.fromkeys(THREAD_VARIABLES, str(threads))
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    return environment
