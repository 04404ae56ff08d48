"""What a configuration and a curve say of epochs."""

import math
from collections.abc import Mapping
from typing import Any

from hpsearch.base.keys import ARGS


def epochs_of(config: Mapping[str, Any]) -> int | None:
    """Return how many epochs a trial trains, None where its configuration does not say it in epochs."""
    given = {**config.get(ARGS, {}), **config.get("trainer", {})}
    epochs = None if given.get("steps") else given.get("epochs")
    return epochs if isinstance(epochs, int) else None


def evaluated_between_epochs(config: Mapping[str, Any]) -> bool:
    """Return whether a trial reports fractions of epochs, as its configuration says."""
    trainer = config.get("trainer", {})
    every = trainer.get("eval_every", 1)
    return bool(trainer.get("eval_steps")) or (isinstance(every, int | float) and every != int(every))


def last_by_epoch(curve: Mapping[float, float]) -> dict[int, float]:
    """Return the last value of every epoch that has one, by the number of the epoch from 1.

    Args:
        curve: value by epoch, fractions among them.

    Example:
        >>> last_by_epoch({0.5: 3.0, 1: 2.0, 1.5: 1.0})
        {1: 2.0, 2: 1.0}
    """
    return {math.ceil(epoch): curve[epoch] for epoch in sorted(curve)}
