"""A user's own code as a trial.

Nothing here imports torch: a loop that needs none runs without it.
"""

import math
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from hpsearch.base import current
from hpsearch.base.errors import HpsearchError
from hpsearch.base.keys import ARGS
from hpsearch.base.outcome import state_after
from hpsearch.base.types import Decision, Started, TrialResult, TrialRun, TrialSpec, TrialState
from hpsearch.config.build import bind_own, own_loop, returned_by, yields
from hpsearch.trial.own import OwnCode, OwnFunction, OwnGenerator
from hpsearch.trial.surroundings import Surroundings
from hpsearch.trial.waiting import Waiting

_waiting = Waiting()


def _forget(folders: Iterable[str]) -> None:
    for folder in folders:
        _waiting.drop(folder)


current.process.forget = _forget


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
    code = _waiting.take(spec.folder, spec.attempt) or _begun(spec.config, Path(spec.folder))
    if isinstance(code, Generator):
        return (yield from code)
    return (yield from run_code(code, spec, _waiting))


def preflight(config: Mapping[str, Any], source: str | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Check that a user's training loop can be called; nothing of it runs.

    Returns:
        ``metrics``: None, they are known when it reports some.
    """
    _call(_function(config), config, Path())
    return {"metrics": None}


def run_code(code: OwnCode, spec: TrialSpec, waiting: Waiting) -> TrialRun:
    """Run a user's code as a trial.

    What is paused is ended where it goes on from its checkpoint without loss, or waits in this process; where it can
    do neither, it goes on to where it is told to pause again.

    Args:
        code: where it stands.
        spec: of the trial; a value of the objective's metric that is not finite ends it as INFEASIBLE.
        waiting: what waits in this process.

    Yields:
        Started, then the reports, those before its checkpoint again.

    Returns:
        How it ended.
    """
    decision, keep, declined, metric = Decision.CONTINUE, False, "", spec.config["objective"]["metric"]
    try:
        (decision,) = yield (Started(code.epoch, {}, time.time()),)
        again = code.checkpoints.again if code.epoch == code.checkpoints.epoch else ()
        for report in chain(again, iter(code.advance, None)):
            (decision,) = yield (replace(report, declined=declined),)
            if not math.isfinite(report.metrics.get(metric, 0.0)):
                reason = f"{metric} is {report.metrics[metric]} after epoch {report.epoch}"
                return (_left_by(code, _result(TrialState.INFEASIBLE, reason)),)
            after = None if code.ended else state_after(decision, report.epoch)
            declined = waiting.why_not(code) if after and decision is Decision.PAUSE and not code.is_saved else ""
            if after and (not declined or code.resumable):
                keep = decision is Decision.PAUSE and not code.is_saved and not declined
                return (replace(_left_by(code, _result(*after)), held=keep, alone=keep and code.has_programs),)
        return (_left_by(code, _ended(code, metric)),)
    finally:
        if keep:
            waiting.keep(spec.folder, spec.attempt, code)
        else:
            code.stop(Decision.PAUSE if decision in (Decision.PAUSE, Decision.LEAVE) else Decision.STOP)


def _left_by(code: OwnCode, result: TrialResult) -> TrialResult:
    """Return how code ended; what is to go on keeps its checkpoint twice, see `Checkpoints`."""
    if result.state is not TrialState.PAUSED:
        code.checkpoints.release()
    return result


def _ended(code: OwnCode, metric: str) -> TrialResult:
    """Return how code ended that came to its end."""
    if code.stopped:
        return _result(TrialState.PRUNED, f"it raised Stop after epoch {code.epoch}")
    if code.score is not None and not math.isfinite(code.score):
        return _result(TrialState.INFEASIBLE, f"{metric} is {code.score}, which the function returned")
    return TrialResult(TrialState.COMPLETE, facts=code.facts, time=time.time(), score=code.score)


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
            told = tuple(Decision.PAUSE if each is Decision.LEAVE else each for each in decisions)
            messages = surroundings.run(run.send, told)
    except StopIteration as stop:
        results: tuple[TrialResult, ...] = stop.value
        return results
    finally:
        surroundings.run(run.close)


def _result(state: TrialState, reason: str = "") -> TrialResult:
    return TrialResult(state, reason, time=time.time())
