"""A model, built for its data and initialized."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from hpsearch.base.rng import address
from hpsearch.config.build import build

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hpsearch.data.base import Splits
    from hpsearch.nn.init import Initializer


def make_model(config: Mapping[str, Any], plugins: tuple[str, ...], seed: int, splits: "Splits") -> "nn.Module":
    """Return the model that a configuration describes, on the host; what it draws is a function of the seed.

    Args:
        config: a trial's resolved configuration.
        plugins: packages of the user's that may be built from.
        seed: the trial's seed.
        splits: the data, whose shapes it is built for.
    """
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(address(seed, "init"))
        shape = {"in_shape": splits.in_shape, "num_outputs": splits.num_outputs}
        model: nn.Module = build("model", config["model"], plugins, **shape)
    initializer: Initializer = build("init", config["init"], plugins)
    initializer.initialize(model, seed, prior(splits) if initializer.needs_prior else None)
    return model


def prior(splits: "Splits") -> "Tensor | None":
    """Return the share of each class in the training split."""
    if splits.task != "classification":
        return None
    return torch.bincount(splits.train.y.cpu(), minlength=splits.num_outputs) / len(splits.train)
