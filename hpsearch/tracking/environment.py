"""Where a study ran: code version, software, machine."""

import platform
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpu": processor_name(),
        "cores": usable_cores(),
        "memory_mib": round(psutil.virtual_memory().total / 2**20),
        **_gpus(),
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _gpus() -> dict[str, str]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver, no GPU: NVML has an error class of its own for each
        return {}
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        names = ", ".join(str(pynvml.nvmlDeviceGetName(handle)) for handle in handles)
        return {"gpus": names, "driver": str(pynvml.nvmlSystemGetDriverVersion())} if names else {}
    finally:
        pynvml.nvmlShutdown()
