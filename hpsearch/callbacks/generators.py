"""Where the generators of random numbers stand, in a form that a checkpoint can hold without a pickle."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

States = dict[str, Any]


def read_generators(own: Iterable[torch.Generator] = ()) -> States:
    """Return where generators stand, as plain values and tensors.

    Args:
        own: generators besides the global ones of Python, NumPy and torch (of every CUDA device too), as those of
            data loaders.

    Returns:
        Their states, for `set_generators`.
    """
    name, keys, *numbers = np.random.get_state(legacy=True)
    return {
        "python": list(random.getstate()),
        "numpy": [name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *numbers],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "own": [generator.get_state() for generator in own],
    }


def set_generators(states: Mapping[str, Any], own: Iterable[torch.Generator] = ()) -> None:
    """Set generators to where they stood.

    Args:
        states: what `read_generators` returned, of the same number of CUDA devices.
        own: the generators that it was given, in the same order.
    """
    version, keys, gauss = states["python"]
    random.setstate((version, tuple(keys), gauss))
    name, numbers, *rest = states["numpy"]
    np.random.set_state((name, numbers.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"].cpu())
    if states["cuda"]:
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    for generator, state in zip(own, states["own"], strict=True):
        generator.set_state(state.cpu())
