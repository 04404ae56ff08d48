"""What is known of a trial before it trains."""

import functools

import torch
from torch import nn

from hpsearch.base.contents import DataState
from hpsearch.base.platform import processor_name
from hpsearch.base.types import DATA
from hpsearch.data.base import Splits
from hpsearch.trial.job import Trainer


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
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        **({"data.notes": "; ".join(splits.notes)} if splits.notes else {}),
    }


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
