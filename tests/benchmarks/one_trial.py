"""One trial in this process, without a study: what a benchmark trains a setting with."""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hpsearch.base.types import Decision, Report, TrialId, TrialSpec, TrialState
from hpsearch.config.compose import compose
from hpsearch.trial.build import execute


def reported(words: Sequence[str], params: Mapping[str, Any], seed: int) -> tuple[list[Report], TrialState]:
    """Train once, with one thread.

    Args:
        words: Hydra overrides.
        params: further values by dotted key.
        seed: of the trial.

    Returns:
        What it reported, epoch by epoch, and how it ended.
    """
    torch.set_num_threads(1)
    filled = compose(words).trial(params, seed, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = execute((TrialSpec("one", TrialId(0, seed), filled.config, {}, filled.overrides, filled.key, folder),))
        reports, (message,) = [], next(run)
        try:
            while True:
                if isinstance(message, Report):
                    reports.append(message)
                (message,) = run.send((Decision.CONTINUE,))
        except StopIteration as stop:
            (result,) = stop.value
    return reports, result.state


def trained(words: Sequence[str], params: Mapping[str, Any], seed: int) -> dict[str, float] | None:
    """Train once, as `reported`; return the metrics of the last epoch, None where training does not come to its end."""
    reports, state = reported(words, params, seed)
    if state is not TrialState.COMPLETE or not reports:
        return None
    return {name: float(value) for name, value in reports[-1].metrics.items()}
