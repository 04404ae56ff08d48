"""A training loop of the user's own as a trial: a generator that yields what it measured."""

import math
import random
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np
import torch

from hpsearch import rng
from hpsearch.errors import ConfigError
from hpsearch.types import Decision, Message, Report, Started, TrialResult, TrialRun, TrialState


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch with addresses of a trial's seed."""
    random.seed(rng.address(seed, "python"))
    np.random.seed(rng.address(seed, "numpy") % 2**32)
    torch.manual_seed(rng.address(seed, "torch", 0))


def follow(
    reports: Iterator[Mapping[str, Any] | Report], metric: str, facts: Mapping[str, str | int | float]
) -> TrialRun:
    """Run a generator of measurements as a trial.

    It has no checkpoint of ours: a trial that was paused or cut off starts again and trains its epochs again.

    Args:
        reports: yields a mapping of metrics after each epoch, such as ``{"valid/acc": 0.9}``, with the number of
            updates so far under ``step`` if it likes; or whole `Report` records.
        metric: the objective's; a value of it that is not finite ends the trial as INFEASIBLE.
        facts: sent with the first message.

    Yields:
        Started, then a report for everything the generator yields.

    Returns:
        COMPLETE when the generator ends, PRUNED on STOP, PAUSED on PAUSE. What else it yields raises a ConfigError.
    """
    epoch = 0
    with closing(_messages(reports, facts)) as messages:
        for message in messages:
            (decision,) = yield (message,)
            if isinstance(message, Report):
                epoch = message.epoch
                if not math.isfinite(message.metrics.get(metric, 0.0)):
                    return (
                        _result(TrialState.INFEASIBLE, f"{metric} is {message.metrics[metric]} after epoch {epoch}"),
                    )
            if decision is Decision.STOP:
                return (_result(TrialState.PRUNED, f"stopped after epoch {epoch}"),)
            if decision is Decision.PAUSE:
                return (_result(TrialState.PAUSED, f"paused after epoch {epoch}; it will start again"),)
    return (_result(TrialState.COMPLETE),)


def _result(state: TrialState, reason: str = "") -> TrialResult:
    return TrialResult(state, reason, time=time.time())


def _messages(
    reports: Iterator[Mapping[str, Any] | Report], facts: Mapping[str, str | int | float]
) -> Generator[Message, None, None]:
    yield Started(None, facts, time.time())
    try:
        for epoch, measured in enumerate(reports, 1):
            yield measured if isinstance(measured, Report) else _report(measured, epoch)
    finally:
        if hasattr(reports, "close"):
            reports.close()


def _report(measured: Mapping[str, Any], epoch: int) -> Report:
    try:
        values = {str(name): float(value) for name, value in measured.items()}
    except (AttributeError, TypeError, ValueError):
        raise ConfigError(
            f"the training generator yielded {measured!r:.100}: it must yield numbers by name, such as "
            "{'valid/acc': 0.9}, or a Report"
        ) from None
    return Report(epoch, int(values.pop("step", epoch)), values, time=time.time())
