"""A user's own code as a trial.

Nothing here imports torch: a loop that needs none runs without it.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.errors import HpsearchError
from hpsearch.base.keys import ARGS
from hpsearch.base.outcome import state_after
from hpsearch.base.types import Decision, Started, TrialResult, TrialRun, TrialSpec, TrialState
from hpsearch.config.build import bind_own, own_loop, returned_by, yields
from hpsearch.trial.own import OwnCode, OwnFunction, OwnGenerator
from hpsearch.trial.surroundings import Surroundings

MOST_PAUSED = 32
"""Paused loops that a process keeps to go on with; the oldest is closed and would start again."""


class PausedLoops(OrderedDict[str, OwnCode]):
    """Loops that were paused in this process, by the folder of their trial."""

    def keep(self, folder: str, loop: OwnCode) -> None:
        """Keep one more, and close the oldest when there are too many."""
        self[folder] = loop
        if len(self) > MOST_PAUSED:
            self.popitem(last=False)[1].stop(Decision.STOP)


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
    code = _paused.pop(spec.folder, None) or _begun(spec.config, Path(spec.folder))
    if isinstance(code, Generator):
        return (yield from code)
    return (yield from run_loop(code, spec.config["objective"]["metric"], spec.folder))


def preflight(config: Mapping[str, Any], source: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Check that a user's training loop can be called; nothing of it runs.

    Returns:
        ``metrics``: None, they are known when it reports some.
    """
    _call(_function(config), config, Path())
    return {"metrics": None}


def run_loop(loop: OwnCode, metric: str, folder: str) -> TrialRun:
    """Run a user's code as a trial.

    What is paused waits in this process, where it goes on; it starts again when the process ended meanwhile.

    Args:
        loop: the code, where it stands.
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
        while (report := loop.advance()) is not None:
            (decision,) = yield (report,)
            if not math.isfinite(report.metrics.get(metric, 0.0)):
                reason = f"{metric} is {report.metrics[metric]} after epoch {report.epoch}"
                return (_result(TrialState.INFEASIBLE, reason),)
            if not loop.ended and (after := state_after(decision, report.epoch)):
                keep = decision is Decision.PAUSE
                return (_result(*after),)
        return (_ended(loop, metric),)
    finally:
        if keep:
            _paused.keep(folder, loop)
        else:
            loop.stop(Decision.STOP)


def _ended(loop: OwnCode, metric: str) -> TrialResult:
    """Return how code ended that came to its end."""
    if loop.stopped:
        return _result(TrialState.PRUNED, f"it raised Stop after epoch {loop.epoch}")
    if loop.score is not None and not math.isfinite(loop.score):
        return _result(TrialState.INFEASIBLE, f"{metric} is {loop.score}, which the function returned")
    return TrialResult(TrialState.COMPLETE, facts=loop.facts, time=time.time(), score=loop.score)


def _function(config: Mapping[str, Any]) -> Callable[..., Any]:
    function = own_loop(config["trainer"], config["plugins"])
    if function is None:
        raise HpsearchError(f"trainer._target_ = {config['trainer'].get('_target_')}: is no training loop of your own")
    return function


def _call(function: Callable[..., Any], config: Mapping[str, Any], folder: Path) -> Callable[[], Any]:
    """Return a user's function with its arguments and what else it asks for; nothing of it runs yet."""
    offered = {"seed": config["seed"], "fold": config["fold"], "folder": folder, "config": dict(config)}
    return bind_own(function, config, offered)


def _begun(config: Mapping[str, Any], folder: Path) -> OwnCode | TrialRun:
    """Return a user's code with its arguments; of one that speaks the whole protocol, the trial."""
    folder.mkdir(parents=True, exist_ok=True)
    function = _function(config)
    surroundings, call = Surroundings(config["seed"]), _call(function, config, folder)
    params = config[ARGS]
    if returned_by(function) == TrialRun:
        return _run_within(surroundings, surroundings.run(call))
    if yields(function):
        return OwnGenerator(call, params, folder, surroundings)
    return OwnFunction(call, config["objective"]["metric"], params, folder, surroundings)


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
