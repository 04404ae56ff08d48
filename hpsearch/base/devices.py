"""Devices that trials compute on: which the environment gives, which one is chosen, what each cannot promise."""

import os
import re
import sys
from typing import Any

from hpsearch.base.errors import ConfigError


def named_gpus(value: str) -> tuple[str, ...]:
    """Return the devices that a value of CUDA_VISIBLE_DEVICES names, as CUDA reads it.

    Args:
        value: numbers, or beginnings of the UUIDs of GPUs or of slices of them (MIG), with commas between.

    Returns:
        Those up to the first that is nothing of that, such as ``-1`` or the ``NoDevFiles`` of Slurm; none where one
        stands there twice.
    """
    names = list[str]()
    for name in value.split(","):
        if not _GPU.fullmatch(name.strip()):
            break
        names.append(name.strip())
    return tuple(names) if len(set(names)) == len(names) else ()


_GPU = re.compile(r"\d+|(GPU|MIG)-[\w./-]+", re.ASCII)


def sees_cuda() -> bool:
    """Return whether the environment gives this process, and what it starts, a GPU of NVIDIA's."""
    return bool(named_gpus(os.environ.get("CUDA_VISIBLE_DEVICES", "")))


def uses_cuda() -> bool:
    """Return whether this process has begun to compute on a GPU of NVIDIA's."""
    torch: Any = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def choose_device(asked: str, gpus: int, mps: bool) -> str:
    """Return the kind of device to train on; ``auto`` takes CUDA, then Apple's GPU, then the processor.

    Args:
        asked: ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``.
        gpus: CUDA devices of this machine.
        mps: whether Apple's GPU is there.

    Returns:
        ``cpu``, ``mps``, ``cuda`` (the present one) or ``cuda:N``.

    Raises:
        ConfigError: this machine has no such device.
    """
    if asked == "auto":
        return "cuda" if gpus else "mps" if mps else "cpu"
    kind, _, index = asked.partition(":")
    if kind == "cuda" and int(index or 0) >= gpus:
        raise ConfigError(f"trainer.device = '{asked}': this machine has {gpus} CUDA devices")
    if kind == "mps" and not mps:
        raise ConfigError(f"trainer.device = '{asked}': this machine has no GPU of Apple's")
    return asked


def not_promised(device: str) -> str:
    """Return what training again on a device cannot promise, in a sentence; empty where curves are the same.

    Args:
        device: the fact `device` of a trial: the processor's or the GPU's name, in front of it ``mps`` for Apple's.
    """
    if not device.startswith("mps"):
        return ""
    return (
        "on Apple's GPU (mps) sums are not always taken in the same order: the same bits are not promised there; "
        "trials with trainer.device=cpu keep them"
    )
