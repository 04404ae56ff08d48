"""One trial in this process, without a study: what a benchmark trains a setting with."""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hpsearch.base.types import Decision, Report, TrialId, TrialSpec, TrialState
from hpsearch.config.compose import compose
from hpsearch.trial.build import execute


def trained(words: Sequence[str], params: Mapping[str, Any], seed: int) -> dict[str, float] | None:
    """Train once, with one thread.

    Args:
        words: Hydra overrides.
        params: further values by dotted key.
        seed: of the trial.

    Returns:
        The metrics of its last epoch; None where training does not come to its end.
    """
    torch.set_num_threads(1)
    filled = compose(words).trial(params, seed, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = execute((TrialSpec("one", TrialId(0, seed), filled.config, {}, filled.overrides, filled.key, folder),))
        (message,) = next(run)
        try:
            while True:
                (message,) = run.send((Decision.CONTINUE,))
        except StopIteration as stop:
            (result,) = stop.value
    if result.state is not TrialState.COMPLETE or not isinstance(message, Report):
        return None
    return {name: float(value) for name, value in message.metrics.items()}
