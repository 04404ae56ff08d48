"""What is known of a trial before it trains."""

import functools
import os

import torch
from torch import nn

from hpsearch.base.contents import DataState
from hpsearch.base.platform import processor_name
from hpsearch.base.steps import label_counts
from hpsearch.base.types import DATA
from hpsearch.data.base import Splits
from hpsearch.trial.job import Trainer

SETTINGS = (
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DYNAMIC", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"),
    *("DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "OPENBLAS_CORETYPE", "NVIDIA_TF32_OVERRIDE"),
)
"""Variables of the environment that libraries choose their arithmetic by."""


def facts_of(model: nn.Module, splits: Splits, device: torch.device) -> dict[str, str | int | float]:
    """Return the scalars that are known of a trial before it trains.

    Args:
        model: its model.
        splits: its data.
        device: where it trains.
    """
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "device": _device_name(device),
        "data.digest": splits.digest,
        "data.train_size": len(splits.train),
        "data.valid_size": len(splits.valid),
        **({} if splits.test is None else {"data.test_size": len(splits.test)}),
        **splits.units.facts,
        **_steps(splits),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "arithmetic": arithmetic(),
        **({"data.notes": "; ".join(splits.notes)} if splits.notes else {}),
    }


def arithmetic() -> str:
    """Return what the processor computes with, as results depend on it: kind of vector instructions and settings."""
    chosen = (f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ)
    return " ".join([torch.backends.cpu.get_cpu_capability(), *chosen])


def _steps(splits: Splits) -> dict[str, int]:
    """Return how many labels the parts that are scored hold, where a sample has one for each of its steps.

    And how many samples of one size tell as much as those of each part if the steps of one are all alike, ``(Σ n)² /
    Σ n²`` (L. Kish, 1965).
    """
    if not splits.vocabulary:
        return {}
    facts, parts = {}, {"valid": splits.valid, "test": splits.test}
    for name, part in parts.items():
        if part is not None:
            counts = label_counts(part.y).double()
            facts[f"data.{name}_steps"] = int(counts.sum())
            facts[f"data.{name}_units"] = int(counts.sum() ** 2 / (counts**2).sum() + 1e-9)
    return facts


def origins(state: DataState, trainer: Trainer) -> dict[str, str]:
    """Return what a trial was read from and goes on from.

    Args:
        state: of its data and weights.
        trainer: how it trains.
    """
    known = {DATA: state.digest, "continued": trainer.continued or ""}
    return {name: value for name, value in known.items() if value}


@functools.cache
def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"mps ({processor_name()})" if device.type == "mps" else processor_name()
