"""What drivers say to each other of trials, as JSON: what stands in a database runs no code.

A configuration is never sent: every driver composes its own, and what a trial is to be has a key.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TypeAlias, TypeVar, cast

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import (
    Decision,
    Given,
    MakeSpec,
    Query,
    Report,
    Started,
    TrialId,
    TrialResult,
    TrialSpec,
    TrialState,
)
from hpsearch.launch.base import Died, Ended, LauncherEvent, Reported

T = TypeVar("T")
KILL = "kill"
Told: TypeAlias = Decision | Given | str
_SENT = ("attempt", "code", "data", "files", "purpose", "judged")
"""What of a trial is sent beside its id, its hyperparameters and its key."""


def trial_of(stem: str) -> TrialId:
    """Return the trial whose files have a name."""
    return TrialId(*map(int, stem.split("-")))


def spec_text(spec: TrialSpec) -> str:
    """Return what another driver makes a trial of."""
    return _text({"params": dict(spec.params), "key": spec.key, **{name: getattr(spec, name) for name in _SENT}})


def spec_from(stem: str, text: str, make_spec: MakeSpec) -> TrialSpec:
    """Return a trial that another driver has handed out.

    Args:
        stem: name of its files.
        text: as `spec_text` wrote it.
        make_spec: of this driver.

    Raises:
        ConfigError: what this driver makes of it is another trial.
    """
    trial, fields = trial_of(stem), json.loads(text)
    spec = make_spec(trial.point, fields["params"], trial.seed, trial.fold)
    if spec.key != fields["key"]:
        raise ConfigError(
            f"trial {spec.study}/{trial} has another configuration here ({spec.key}) than where it was asked for "
            f"({fields['key']}): start every driver with the same command, the same version of hpsearch and the same "
            "environment"
        )
    return replace(spec, **{name: fields[name] for name in _SENT})


def event_texts(event: LauncherEvent) -> dict[TrialId, str]:
    """Return what is sent of an event of a launcher, by trial."""
    match event:
        case Reported(trial, message):
            return {trial: _text({type(message).__name__: asdict(message)})}
        case Ended(trial, result):
            return {trial: _text({"Ended": asdict(result)})}
        case Died(trials=trials, detail=detail, killed=killed):
            return dict.fromkeys(trials, _text({"Died": [detail, None if killed is None else killed.stem]}))


def event_from(trial: TrialId, slot: int, text: str) -> LauncherEvent:
    """Return an event of a trial.

    Args:
        trial: whose.
        slot: where it trains.
        text: as `event_texts` wrote it.
    """
    ((kind, fields),) = json.loads(text).items()
    match kind:
        case "Started":
            return Reported(trial, Started(**fields))
        case "Report":
            fields["steps"] = tuple((step, value) for step, value in fields["steps"])
            fields["end"] = tuple((step, metrics) for step, metrics in fields["end"])
            return Reported(trial, Report(**fields))
        case "Query":
            return Reported(trial, Query(**fields))
        case "Died":
            detail, killed = fields
            return Died(slot, (trial,), detail, None if killed is None else trial_of(killed))
        case _:
            return Ended(trial, _result(fields))


def later(event: LauncherEvent, sec: float) -> LauncherEvent:
    """Return an event by a clock that is so many seconds ahead."""
    match event:
        case Reported(trial, message):
            return Reported(trial, _later(message, sec))
        case Ended(trial, result):
            return Ended(trial, _later(result, sec))
        case _:
            return event


def _later(said: T, sec: float) -> T:
    shown: Any = said
    return cast("T", replace(shown, time=shown.time + sec)) if getattr(said, "time", 0.0) else said


def _result(fields: Mapping[str, Any]) -> TrialResult:
    return TrialResult(**{**fields, "state": TrialState(fields["state"]), "artifacts": tuple(fields["artifacts"])})


def told_text(told: Told) -> str:
    """Return what a trial is told: a decision, what it asked for, or `KILL`."""
    return _text({"given": asdict(told)} if isinstance(told, Given) else {"told": told})


def told_from(text: str) -> Told:
    """Return what a trial is told."""
    fields = json.loads(text)
    if "given" in fields:
        return Given(**fields["given"])
    told: str = fields["told"]
    return told if told == KILL else Decision(told)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """Return a NumPy scalar, or a mapping, as JSON knows it."""
    return value.item() if hasattr(value, "item") else dict(value)
