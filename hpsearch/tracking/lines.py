"""What the lines of event files must hold, by kind: a file that says anything else is damaged, or is none of ours.

A kind of line that is not known here, and a field, are passed over: a later version may write them.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hpsearch.base.errors import DamageError, StorageError
from hpsearch.base.formats import upgraded
from hpsearch.base.intake import read
from hpsearch.base.journal import Event, check_seal, read_lines, way_out
from hpsearch.base.types import TrialState

_NUMBERS = {int, float}
_LATEST = 253_402_300_800.0
"""Seconds from 1970 to the year 10000, which no calendar of Python's has."""
_MOST = 2**53
"""Whole numbers up to which float64 tells all apart."""
_SHOWN = 40


class _Rule(NamedTuple):
    """What a field may be, and in words; where it `may_miss`, it need not be there."""

    holds: Callable[[Any], bool]
    words: str
    may_miss: bool = False


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _is_epoch(value: Any) -> bool:
    return type(value) in _NUMBERS and 0 <= value < _MOST


def _is_time(value: Any) -> bool:
    return type(value) in _NUMBERS and 0 <= value < _LATEST


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and set(map(type, value.values())) <= _NUMBERS


def _are_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _are_facts(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values())


def _are_pairs(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(type(pair) is list and len(pair) == 2 for pair in value)
        and set(map(type, chain.from_iterable(value))) <= _NUMBERS
    )


def _are_evaluations(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(pair) is list and len(pair) == 2 and _is_epoch(pair[0]) and _are_numbers(pair[1]) for pair in value
    )


_COUNT, _EPOCH, _TIME = _Rule(_is_count, "a count"), _Rule(_is_epoch, "a number from 0 on"), _Rule(_is_time, "a time")
_TEXT, _TABLE = _Rule(lambda value: isinstance(value, str), "a text"), _Rule(lambda v: isinstance(v, dict), "a table")
_TEXTS, _FACTS = _Rule(_are_texts, "a list of texts"), _Rule(_are_facts, "a table of plain values")
_NAMES = _Rule(_are_names, "a table of texts")
_CONFIG = _Rule(lambda value: isinstance(value, dict) and isinstance(value.get("trainer"), dict), "a configuration")
_LIMITS = _Rule(_are_numbers, "a table of numbers")
_PAIRS, _ENDS = _Rule(_are_pairs, "pairs of numbers"), _Rule(_are_evaluations, "steps with numbers")
_START = _Rule(lambda value: value is None or _is_epoch(value), "a number from 0 on, or null")
_TOTAL = _Rule(lambda value: value is None or _is_count(value), "a count, or null")
_NUMBER = _Rule(lambda value: type(value) in _NUMBERS, "a number")
_SCORE = _Rule(lambda value: value is None or type(value) in _NUMBERS, "a number, or null")
_STATE = _Rule(lambda value: value in list(TrialState), ", ".join(TrialState))


def _optional(rule: _Rule) -> _Rule:
    return rule._replace(may_miss=True)


RULES: Mapping[str, Mapping[str, _Rule]] = {
    "spec": {
        **{"time": _TIME, "point": _COUNT, "seed": _COUNT, "fold": _COUNT, "key": _TEXT, "folder": _TEXT},
        **{"params": _TABLE, "overrides": _TEXTS, "config": _TABLE},
        **dict.fromkeys(("code", "data", "purpose", "uid"), _optional(_TEXT)),
    },
    "start": {
        **{"time": _TIME, "attempt": _COUNT, "epoch": _START, "facts": _FACTS},
        **{"worker": _optional(_COUNT), "node": _optional(_TEXT)},
    },
    "report": {
        **{"time": _TIME, "epoch": _EPOCH, "step": _EPOCH, "metrics": _LIMITS, "steps": _PAIRS},
        "end": _optional(_ENDS),
    },
    "state": {
        **{"time": _TIME, "state": _STATE, "attempt": _COUNT, "facts": _FACTS, "artifacts": _TEXTS},
        **{"score": _optional(_SCORE), "reason": _optional(_TEXT), "traceback": _optional(_TEXT)},
        "ended_by": _optional(_LIMITS),
    },
    "again": {"code": _optional(_TEXT), "data": _optional(_TEXT)},
}
"""Fields of the lines of a trial."""

STUDY_RULES: Mapping[str, Mapping[str, _Rule]] = {
    "created": {"uid": _TEXT},
    "open": {
        **{"time": _TIME, "name": _optional(_TEXT), "supersedes": _optional(_TEXTS)},
        **dict.fromkeys(("config", "space"), _optional(_TABLE)),
    },
    "suggested": {"space": _TABLE},
    "extended": {"name": _TEXT, "expression": _TEXT},
    "code": {"digest": _TEXT},
    "data": {"digest": _TEXT},
    "stage": {"name": _TEXT},
    "best": {"point": _COUNT, "params": _TABLE, "mean": _NUMBER, "sd": _NUMBER, "n": _COUNT},
    "state": {"time": _TIME, "state": _TEXT},
    "system": {"time": _TIME, "metrics": _LIMITS, "total": _optional(_TOTAL)},
    "artifact": {"path": _TEXT},
}
"""Fields of the lines of a study itself."""

_WHEN = _Rule(lambda value: value is None or _is_time(value), "a time, or null")
RUN_RULES: Mapping[str, _Rule] = {
    **{"params": _TABLE, "overrides": _TEXTS, "folder": _TEXT, "state": _STATE, "attempts": _COUNT, "score": _SCORE},
    **{
        "reason": _TEXT,
        "facts": _FACTS,
        "artifacts": _TEXTS,
        "nonfinite": _TABLE,
        "names": _optional(_NAMES),
        "config": _optional(_CONFIG),
    },
    **{"queued": _TIME, "started": _WHEN, "ended": _WHEN, "ran_sec": _NUMBER},
}
"""Fields of what the tags of a run in a tracking store hold of a trial."""


def read_events(
    path: Path, offset: int = 0, end: int | None = None, rules: Mapping[str, Mapping[str, _Rule]] = RULES
) -> tuple[list[Event], int]:
    """Read the lines of an event file and check them.

    Args:
        path: the file.
        offset: where a line begins.
        end: where to stop; None for the end of the file.
        rules: for its lines.

    Returns:
        What `hpsearch.base.journal.read_lines` does.
    """
    events, behind = read_lines(path, offset, end)
    before = 0 if offset == 0 else -1
    return checked(events, path, rules, before), behind


def checked(
    events: list[Event], path: Path, rules: Mapping[str, Mapping[str, _Rule]] = RULES, before: int = 0
) -> list[Event]:
    """Return lines of an event file that hold what they must.

    Args:
        events: the lines.
        path: of the file.
        rules: for its lines.
        before: how many lines stand before them; -1 where that is not known.

    Returns:
        The same, as the present format has them; where a field is something else, a DamageError names the file, the
        line, and what it may be.
    """
    events = [upgraded(event, "event", path) for event in events]
    for place, event in enumerate(events):
        kind = event.get("event")
        if type(kind) is not str:
            _refuse(path, place, before, f"event is {_short(kind)}, which names no kind of line")
        if what := problem(kind, event, rules.get(kind, {})):
            _refuse(path, place, before, what)
    return events


def problem(kind: str, fields: Mapping[str, Any], rules: Mapping[str, _Rule]) -> str:
    """Return which of some fields is not what its rule asks for, and what that is; empty where all are.

    Args:
        kind: what holds the fields, for the message.
        fields: by name.
        rules: by name.
    """
    for name, rule in rules.items():
        if name not in fields:
            if not rule.may_miss:
                return f"{kind} without {name}"
        elif not rule.holds(fields[name]):
            return f"{name} is {_short(fields[name])}, must be {rule.words}"
    return ""


def _refuse(path: Path, place: int, before: int, what: str) -> NoReturn:
    line = "a line" if before < 0 else f"line {before + place + 1}"
    raise DamageError(f"{path}: {line} is damaged ({what}); {way_out(path)}")


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def is_stem(name: str) -> bool:
    """Return whether a file has the name of a trial's; a copy that somebody left beside it has another."""
    return re.fullmatch(r"\d{1,9}-\d{1,9}-\d{1,9}", name) is not None


def check_trial(events: Iterable[Event], path: Path) -> None:
    """Refuse the events of one trial in the file of another, such as a copy: it would be counted twice.

    Raises:
        DamageError: naming the file and the trial.
    """
    for event in events:
        if event["event"] == "spec" and (stem := f"{event['point']}-{event['seed']}-{event['fold']}") != path.stem:
            raise DamageError(f"{path}: holds the events of trial {stem.replace('-', '/')}; remove or restore it")


def last_state(path: Path) -> TrialState:
    """Return the state a trial's event file ends with, without folding all of it; a damaged one is a StorageError."""
    data = read(path, StorageError)
    check_seal(data, path)
    for line in reversed(data[: data.rfind(b"\n") + 1].splitlines()):
        if line.startswith(b'{"event":"start"'):
            return TrialState.RUNNING
        if line.startswith(b'{"event":"again"'):
            return TrialState.WAITING
        if line.startswith(b'{"event":"state"'):
            (event,) = checked([json.loads(line)], path, before=-1)
            return TrialState(event["state"])
    return TrialState.WAITING
