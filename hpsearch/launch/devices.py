"""How many workers a machine feeds, and the environment each of them gets."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from hpsearch.base import clock, platform
from hpsearch.base.devices import named_gpus
from hpsearch.base.errors import ConfigError
from hpsearch.launch.limits import gpu_share

PRODUCTS = {"MKL_CBWR": "AUTO,STRICT"}
SAME = {"PYTHONHASHSEED": "0", **PRODUCTS}
"""What makes the same of the same. By itself MKL adds up in an order that depends on where a matrix lies, so that
a trial would differ by its place in a group; no product tried takes longer for it (64x64 and 512x512, one thread)."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def visible_gpus(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the CUDA devices this process may use, as CUDA_VISIBLE_DEVICES names them, without importing torch."""
    if "CUDA_VISIBLE_DEVICES" in environ:
        return named_gpus(environ["CUDA_VISIBLE_DEVICES"])
    if shutil.which("nvidia-smi") is None:
        return ()
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return parse_listing(listing.stdout) if listing.returncode == 0 else ()


def parse_listing(text: str) -> tuple[str, ...]:
    """Return the devices in the output of ``nvidia-smi -L``.

    Indices; where a GPU is cut up UUIDs, of its slices (MIG) and of the GPUs that are whole.
    """
    gpus: dict[str, list[str]] = {}
    for kind, uuid in re.findall(r"^\s*(GPU|MIG) .*\(UUID: ([^)]+)\)", text, re.MULTILINE):
        if kind == "GPU":
            gpus[uuid] = []
        elif gpus:
            gpus[list(gpus)[-1]].append(uuid)
    if not any(gpus.values()):
        return tuple(str(index) for index, _ in enumerate(gpus))
    return tuple(name for uuid, slices in gpus.items() for name in slices or [uuid])


def usable_cores() -> int:
    """Return the cores this process may use: physical ones, within its affinity mask and its container's quota."""
    import psutil

    allowed = platform.usable_cores()
    limits = [allowed, psutil.cpu_count(logical=False) or allowed, platform.core_quota() or allowed]
    return max(1, min(limits))


def worker_count(workers: int | str, threads: int, gpus: Sequence[str], gpus_per_trial: float = 1) -> int:
    """Return the number of worker processes.

    Args:
        workers: a number, or ``auto``: as many as the GPUs have room for, without GPUs one per `threads` usable cores.
        threads: threads per worker.
        gpus: the usable CUDA devices.
        gpus_per_trial: that each of them sees, see `check_share`.

    Returns:
        At least 1.

    Raises:
        ConfigError: `workers` or `threads` is not a positive whole number, or there are no such shares of the GPUs.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if (name, value) != ("workers", "auto") and (type(value) is not int or value < 1):
            allowed = "auto or a whole number from 1" if name == "workers" else "a whole number from 1"
            raise ConfigError(f"launcher.{name}={value}: it must be {allowed}")
    check_share(gpus_per_trial, gpus)
    if isinstance(workers, int):
        return workers
    return len(_seats(gpus, gpus_per_trial)) or max(1, usable_cores() // threads)


def check_share(gpus_per_trial: float, gpus: Sequence[str]) -> None:
    """Refuse a share of the GPUs that this machine cannot give a worker.

    Args:
        gpus_per_trial: as `hpsearch.launch.limits.gpu_share` allows.
        gpus: the usable CUDA devices.

    Raises:
        ConfigError: it is no share, is more than there are, or more than one slice of a GPU, of which CUDA sees one.
    """
    gpu_share("launcher.gpus_per_trial", gpus_per_trial)
    if gpus_per_trial > max(1, len(gpus)):
        raise ConfigError(f"launcher.gpus_per_trial={gpus_per_trial:g}: this machine has {len(gpus)} CUDA devices")
    if gpus_per_trial > 1 and any(name.startswith("MIG-") for name in gpus):
        raise ConfigError(
            f"launcher.gpus_per_trial={gpus_per_trial:g}: CUDA sees no more than one slice (MIG) of a GPU; use 1"
        )


def _seats(gpus: Sequence[str], gpus_per_trial: float) -> list[str]:
    """Return what each worker sees of the GPUs, whole ones first where several share one."""
    if gpus_per_trial < 1:
        return [*gpus] * round(1 / gpus_per_trial)
    size = int(gpus_per_trial)
    return [",".join(gpus[start : start + size]) for start in range(0, len(gpus) - size + 1, size)]


def worker_environment(slot: int, threads: int, gpus: Sequence[str], gpus_per_trial: float = 1) -> dict[str, str]:
    """Return the environment of the worker of a slot: its share of the threads, and its GPUs in turn.

    Sets of texts are in the same order in every worker, and products of matrices the same bits wherever their numbers
    lie in memory, unless the user's own environment says otherwise.
    """
    environment = SAME | dict(os.environ) | clock.told() | dict.fromkeys(THREAD_VARIABLES, str(threads))
    if seats := _seats(gpus, gpus_per_trial):
        environment["CUDA_VISIBLE_DEVICES"] = seats[slot % len(seats)]
    return environment
