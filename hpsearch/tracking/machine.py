"""Where a study ran: code version, software, machine, and the load of the machine while it ran."""

import functools
import hashlib
import math
import platform
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hpsearch.base.platform import processor_name, usable_cores

LIBRARIES = ("hpsearch", "torch", "optuna", "mlflow", "hydra-core", "numpy", "ray")
GIT_TIMEOUT_SEC = 10.0


def git_state(folder: Path) -> dict[str, str | bool]:
    """Return the version of the code in a checkout.

    Args:
        folder: anywhere in the checkout.

    Returns:
        ``commit``, ``branch`` and ``dirty`` (files that git follows differ from the commit); empty when the folder is
        in no checkout or there is no git.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD") or ""
    return {"commit": commit, "branch": branch, "dirty": bool(_git(folder, "status", "--porcelain", "-uno"))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=GIT_TIMEOUT_SEC, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def environment() -> dict[str, str | int | float]:
    """Return software and machine: versions, host, processor, cores, memory, GPUs; torch is not imported."""
    import psutil

    return {
        "python": platform.python_version(),
        **{name: found for name in LIBRARIES if (found := _version(name))},
        "code": own_code(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpu": processor_name(),
        "cores": usable_cores(),
        "memory_mib": round(psutil.virtual_memory().total / 2**20),
        **_gpus(),
    }


@functools.cache
def own_code() -> str:
    """Return a digest of hpsearch's own modules, which tells one state of a checkout from another."""
    digest, package = hashlib.blake2b(digest_size=6), Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _gpu_handles() -> list[Any]:
    """Return NVML's handle of each NVIDIA GPU; it stays open, which costs nothing."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # no library, no driver, no GPU: NVML has an error class of its own for each
        return []


def _gpus() -> dict[str, str]:
    handles = _gpu_handles()
    if not handles:
        return {}
    import pynvml

    names = ", ".join(str(pynvml.nvmlDeviceGetName(handle)) for handle in handles)
    return {"gpus": names, "driver": str(pynvml.nvmlSystemGetDriverVersion())}


class SystemSampler:
    """Samples the machine at most every `every_sec`, in about a millisecond.

    Args:
        every_sec: time between samples.
    """

    def __init__(self, every_sec: float = 5.0) -> None:
        import psutil

        self._every_sec = every_sec
        self._last = -math.inf
        psutil.cpu_percent()
        self._network, self._disk = psutil.net_io_counters(), psutil.disk_io_counters()
        self._gpus = _gpu_handles()

    def sample(self, now: float) -> dict[str, float] | None:
        """Return the load now; network and disk count from the start of the driver.

        Args:
            now: monotonic seconds.

        Returns:
            ``system/...`` values by name, or None when the last sample is younger than `every_sec`.
        """
        if now - self._last < self._every_sec:
            return None
        self._last = now
        return {**self._host(), **{f"system/{name}": value for name, value in _gpu_load(self._gpus).items()}}

    def _host(self) -> dict[str, float]:
        import psutil

        memory = psutil.virtual_memory()
        load = {
            "system/cpu_percent": psutil.cpu_percent(),
            "system/memory_percent": memory.percent,
            "system/memory_mib": memory.used / 2**20,
        }
        network, disk = psutil.net_io_counters(), psutil.disk_io_counters()
        if network and self._network:
            load["system/network_mib"] = (
                network.bytes_sent + network.bytes_recv - self._network.bytes_sent - self._network.bytes_recv
            ) / 2**20
        if disk and self._disk:
            load["system/disk_write_mib"] = (disk.write_bytes - self._disk.write_bytes) / 2**20
        return load


def _gpu_load(handles: list[Any]) -> dict[str, float]:
    load: dict[str, float] = {}
    for index, handle in enumerate(handles):
        import pynvml

        try:
            use, memory = pynvml.nvmlDeviceGetUtilizationRates(handle), pynvml.nvmlDeviceGetMemoryInfo(handle)
            load[f"gpu_{index}_percent"] = float(use.gpu)
            load[f"gpu_{index}_memory_mib"] = float(memory.used) / 2**20
            load[f"gpu_{index}_power_watt"] = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
        except pynvml.NVMLError:
            continue
    return load
