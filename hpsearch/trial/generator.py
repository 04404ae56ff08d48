"""A user's training loop as a trial: a generator that yields what it measured.

Nothing here imports torch: a loop that needs none runs without it.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from hpsearch.base import platform
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.outcome import state_after
from hpsearch.base.types import Decision, Report, Started, TrialResult, TrialRun, TrialSpec, TrialState
from hpsearch.config.build import build, own_loop
from hpsearch.trial.surroundings import Surroundings

MOST_PAUSED = 32
"""Paused loops that a process keeps to go on with; the oldest is closed and would start again."""


class PausedLoops(OrderedDict[str, "UserLoop"]):
    """Loops that were paused in this process, by the folder of their trial."""

    def keep(self, folder: str, loop: "UserLoop") -> None:
        """Keep one more, and close the oldest when there are too many."""
        self[folder] = loop
        if len(self) > MOST_PAUSED:
            self.popitem(last=False)[1].close()


class UserLoop:
    """A user's generator, and how far it is.

    Args:
        reports: what the user's function returned.
        surroundings: that it runs in.

    Attributes:
        epoch: its last epoch so far, None before the first.
    """

    def __init__(self, reports: Iterator[Mapping[str, Any] | Report], surroundings: Surroundings) -> None:
        self._reports, self._surroundings = reports, surroundings
        self.epoch: int | None = None

    def __iter__(self) -> Generator[Report, None, None]:
        """Yield what the user's generator yields, from where it stands, as reports."""
        while True:
            try:
                measured = self._surroundings.run(next, self._reports)
            except StopIteration:
                return
            report = measured if isinstance(measured, Report) else _report(measured, (self.epoch or 0) + 1)
            self.epoch = report.epoch
            yield report

    def close(self) -> None:
        """Let the user's generator clean up."""
        close = getattr(self._reports, "close", None)
        if close is not None:
            self._surroundings.run(close)


_paused = PausedLoops()


def execute(specs: tuple[TrialSpec, ...]) -> TrialRun:
    """Run a user's training loop as a trial.

    Errors go on to the launcher, which makes results of them.

    Args:
        specs: the trial.

    Yields:
        Started, then a report for everything the loop yields; or whatever a loop yields that is a `TrialRun` itself.

    Returns:
        COMPLETE when the loop ends, PRUNED on STOP, PAUSED on PAUSE; INFEASIBLE for an objective that is not finite.
    """
    (spec,) = specs
    loop = _paused.pop(spec.folder, None)
    if loop is None:
        folder, function = Path(spec.folder), _function(spec.config)
        folder.mkdir(parents=True, exist_ok=True)
        surroundings = Surroundings(spec.config["seed"])
        reports = surroundings.run(_call, function, spec.config, folder)
        if get_type_hints(function).get("return") == TrialRun:
            return (yield from _run_within(surroundings, reports))
        loop = UserLoop(reports, surroundings)
    return (yield from run_loop(loop, spec.config["objective"]["metric"], spec.folder))


def preflight(config: Mapping[str, Any], source: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Check that a user's training loop can be called; nothing of it runs.

    Returns:
        ``metrics``: None, they are known when it reports some.
    """
    _call(_function(config), config, Path()).close()
    return {"metrics": None}


def run_loop(loop: UserLoop, metric: str, folder: str) -> TrialRun:
    """Run a user's generator as a trial.

    A loop that is paused waits in this process, where it goes on; it starts again when the process ended meanwhile.

    Args:
        loop: yields a mapping of metrics after each epoch, such as ``{"valid/acc": 0.9}``, with the number of updates
            so far under ``step`` if it likes; or whole `Report` records.
        metric: the objective's; a value of it that is not finite ends the trial as INFEASIBLE.
        folder: of the trial.

    Yields:
        Started, then the reports.

    Returns:
        How it ended.
    """
    keep = False
    try:
        (decision,) = yield (Started(loop.epoch, {}, time.time()),)
        for report in loop:
            (decision,) = yield (report,)
            if not math.isfinite(report.metrics.get(metric, 0.0)):
                reason = f"{metric} is {report.metrics[metric]} after epoch {report.epoch}"
                return (_result(TrialState.INFEASIBLE, reason),)
            if ended := state_after(decision, report.epoch):
                keep = decision is Decision.PAUSE
                return (_result(*ended),)
        return (_result(TrialState.COMPLETE),)
    finally:
        if keep:
            _paused.keep(folder, loop)
        else:
            loop.close()


def _function(config: Mapping[str, Any]) -> Callable[..., Any]:
    function = own_loop(config["trainer"], config["plugins"])
    if function is None:
        raise HpsearchError(f"trainer._target_ = {config['trainer'].get('_target_')}: is no training loop of your own")
    return function


def _call(function: Callable[..., Any], config: Mapping[str, Any], folder: Path) -> Any:
    """Call a user's training loop with the trainer's options and what else it asks for; nothing of it runs yet."""
    offered = {"seed": config["seed"], "fold": config["fold"], "folder": folder, "config": dict(config)}
    asked = platform.parameters(function)
    extra = {name: value for name, value in offered.items() if name in asked}
    return build("trainer", config["trainer"], config["plugins"], **extra)


def _run_within(surroundings: Surroundings, run: TrialRun) -> TrialRun:
    """Run a loop that speaks the whole protocol, step by step in its surroundings."""
    try:
        messages = surroundings.run(next, run)
        while True:
            decisions = yield messages
            messages = surroundings.run(run.send, decisions)
    except StopIteration as stop:
        results: tuple[TrialResult, ...] = stop.value
        return results
    finally:
        surroundings.run(run.close)


def _result(state: TrialState, reason: str = "") -> TrialResult:
    return TrialResult(state, reason, time=time.time())


def _report(measured: Mapping[str, Any], epoch: int) -> Report:
    try:
        values = {str(name): float(value) for name, value in measured.items()}
    except (AttributeError, TypeError, ValueError):
        raise ConfigError(
            f"the training generator yielded {measured!r:.100}: it must yield numbers by name, such as "
            "{'valid/acc': 0.9}, or a Report"
        ) from None
    return Report(epoch, int(values.pop("step", epoch)), values, time=time.time())
