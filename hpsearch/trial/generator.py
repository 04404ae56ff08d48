"""A user's own code as a trial.

Nothing here imports torch: a loop that needs none runs without it.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from hpsearch.base import current, platform
from hpsearch.base.clock import time_of_day
from hpsearch.base.commands import is_program, not_seeded
from hpsearch.base.environment import TAKEN
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.keys import ARGS
from hpsearch.base.outcome import state_after
from hpsearch.base.plain import flatten
from hpsearch.base.types import (
    Decision,
    Given,
    Query,
    QueryingRun,
    Report,
    Started,
    TrialResult,
    TrialRun,
    TrialSpec,
    TrialState,
)
from hpsearch.config.build import bind_own, own_loop, returned_by, yields
from hpsearch.config.code import CodeReader
from hpsearch.config.objective import trial_argument
from hpsearch.trial.command import Command
from hpsearch.trial.own import CONSTRAINTS, OwnCode, OwnFunction, OwnGenerator
from hpsearch.trial.own_program import OwnProgram
from hpsearch.trial.same_code import check_code
from hpsearch.trial.surroundings import Surroundings
from hpsearch.trial.waiting import Waiting

_waiting = Waiting()


def _forget(folders: Iterable[str]) -> None:
    for folder in folders:
        _waiting.drop(folder)


current.process.forget = _forget


def execute(specs: tuple[TrialSpec, ...]) -> QueryingRun:
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
    check_code(spec.code, spec.targets)
    code = _waiting.take(spec.folder, spec.attempt) or _begun(spec)
    if isinstance(code, Generator):
        return (yield from code)
    return (yield from run_code(code, spec, _waiting))


def preflight(
    config: Mapping[str, Any],
    source: str | None = None,  # noqa: ARG001
    digest: str = "",
    targets: Sequence[str] = (),
) -> dict[str, Any]:
    """Check that a user's training loop can be called; nothing of it runs.

    Args:
        config: a trial's resolved configuration.
        source: not used.
        digest: of the code of a function, see `check_code`.
        targets: by which that is found.

    Returns:
        ``metrics``: None, they are known when it reports some; of a program ``files``: digests of those that its
            command names.
    """
    if is_program(config):
        command = Command.of(config)
        command.check(flatten(config[ARGS]))
        code = CodeReader().of(config)
        command.check_source(code.modules)
        return {"metrics": None, "files": code.files, "notes": tuple(note for note in [not_seeded(config)] if note)}
    check_code(digest, targets)
    function = _function(config)
    _call(function, config, Path(), _optuna_trial(function, config, 0))
    return {"metrics": None}


def run_code(code: OwnCode, spec: TrialSpec, waiting: Waiting) -> QueryingRun:
    """Run a user's code as a trial.

    What is paused is ended where it goes on from its checkpoint without loss, or waits in this process; where it can
    do neither, it goes on to where it is told to pause again.

    Args:
        code: where it stands.
        spec: of the trial; a value of the objective's metric that is not finite ends it as INFEASIBLE.
        waiting: what waits in this process.

    Yields:
        Started, then the reports, those before its checkpoint again, and what it asks for.

    Returns:
        How it ended.
    """
    decision: Decision | Given
    decision, keep, declined, metric = Decision.CONTINUE, False, "", spec.config["objective"]["metric"]
    try:
        (decision,) = yield (Started(code.epoch, {}, time_of_day()),)
        again = code.checkpoints.again if code.epoch == code.checkpoints.epoch else ()
        said: Iterator[Report | Query] = chain(again, iter(code.advance, None))
        for report in said:
            if isinstance(report, Query):
                (given,) = yield (report,)
                if isinstance(given, Given):
                    code.give(given)
                    continue
                decision = given
                return (_left_by(code, _result(code, TrialState.PRUNED, f"stopped as it asked for {report.name}")),)
            (decision,) = yield (replace(report, declined=declined),)
            assert isinstance(decision, Decision)
            if not math.isfinite(report.metrics.get(metric, 0.0)):
                reason = f"{metric} is {report.metrics[metric]} after epoch {report.epoch}"
                return (_left_by(code, _result(code, TrialState.INFEASIBLE, reason)),)
            after = None if code.ended else state_after(decision, report.epoch)
            declined = waiting.why_not(code) if after and decision is Decision.PAUSE and not code.is_saved else ""
            if after and (not declined or code.resumable):
                keep = decision is Decision.PAUSE and not code.is_saved and not declined
                return (replace(_left_by(code, _result(code, *after)), held=keep, alone=keep and code.has_programs),)
        code.check_asked()
        return (_left_by(code, _ended(code, metric)),)
    finally:
        if keep:
            code.wait()
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
    if code.failed is not None:
        return replace(code.failed, facts=code.facts, time=time_of_day())
    if code.is_cut:
        return _result(code, *(state_after(Decision.STOP, code.epoch or 0) or ()))
    if code.stopped:
        when = "" if code.epoch is None else f" after epoch {code.epoch}"
        return _result(code, TrialState.PRUNED, f"it raised {code.stopped}{when}")
    if code.score is not None and not math.isfinite(code.score):
        return _result(code, TrialState.INFEASIBLE, f"{metric} is {code.score}, which the function returned")
    broken = [
        f"{name} = {value}" for name, value in code.facts.items() if name.startswith(CONSTRAINTS) and float(value) > 0
    ]
    if broken:
        return _result(code, TrialState.INFEASIBLE, f"{', '.join(broken)}: must be at most 0")
    return replace(_result(code, TrialState.COMPLETE), score=code.score)


def _function(config: Mapping[str, Any]) -> Callable[..., Any]:
    function = own_loop(config["trainer"], config["plugins"])
    if function is None:
        raise HpsearchError(f"trainer._target_ = {config['trainer'].get('_target_')}: is no training loop of your own")
    return function


def _call(
    function: Callable[..., Any], config: Mapping[str, Any], folder: Path, trial: Mapping[str, Any]
) -> Callable[[], Any]:
    """Return a user's function with its arguments and what else it asks for; nothing of it runs yet."""
    read = {name: value for name, value in config.items() if name != TAKEN}
    offered = {"seed": config["seed"], "fold": config["fold"], "folder": folder, "config": read}
    return bind_own(function, config, offered, trial)


def _optuna_trial(function: Callable[..., Any], config: Mapping[str, Any], point: int) -> dict[str, Any]:
    """Return the Optuna trial that an objective is given, by the name of its argument; empty for another function."""
    argument = trial_argument(function, config[ARGS])
    if argument is None:
        return {}
    if yields(function):
        name = config["trainer"]["_target_"]
        raise ConfigError(f"{name}: yields; an objective of Optuna returns its score and calls {argument}.report")
    from hpsearch.trial.optuna_trial import OptunaTrial

    return {argument: OptunaTrial(point, config["objective"]["metric"], config[ARGS])}


def _begun(spec: TrialSpec) -> OwnCode | TrialRun:
    """Return a user's code with its arguments; of one that speaks the whole protocol, the trial."""
    config, folder = spec.config, Path(spec.folder)
    folder.mkdir(parents=True, exist_ok=True)
    if is_program(config):
        return OwnProgram(Command.of(config), config, folder, spec.id.point)
    function = _function(config)
    trial = _optuna_trial(function, config, spec.id.point)
    surroundings, call = Surroundings(config["seed"]), _call(function, config, folder, trial)
    params = config[ARGS]
    if returned_by(function) == TrialRun:
        return _run_within(surroundings, surroundings.run(call))
    code: OwnCode
    metric, others = config["objective"]["metric"], [each["metric"] for each in config["objective"].get("others", ())]
    if yields(function):
        code = OwnGenerator(call, metric, params, folder, surroundings)
    else:
        code = OwnFunction(call, metric, params, folder, surroundings, others, _ends() if trial else ())
    code.must_ask = bool(params) and not platform.parameters(function)
    return code


def _ends() -> tuple[type[BaseException], ...]:
    from hpsearch.trial.optuna_trial import ENDS

    return ENDS


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


def _result(code: OwnCode, state: TrialState, reason: str = "") -> TrialResult:
    return TrialResult(state, reason, facts=code.facts, time=time_of_day())
