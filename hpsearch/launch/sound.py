"""What trials say, as records that can be written down: a loop of a user's own may make them itself, of anything."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from hpsearch.base.errors import HpsearchError
from hpsearch.base.readable import TEXT, readable, representation
from hpsearch.base.real import NO_NUMBER, number_of
from hpsearch.base.types import Clock, Report, Started, TrialResult

T = TypeVar("T")
_SHOWN = 100


def sound(said: T, clock: Clock) -> T:
    """Return a message or a result whose numbers are numbers.

    Args:
        said: `Started`, `Report` or `TrialResult`; of anything else nothing is looked at.
        clock: seconds since the Unix epoch, for one without a time: a trial may have replaced `time.time`.

    Returns:
        The same, with tensors, arrays and other numbers as those of Python, and text that is `readable`. Something that
        must be a number and is none is an HpsearchError.
    """
    made: Any = said
    match said:
        case Report():
            made = _report(_timed(said, clock))
        case Started():
            made = replace(_timed(said, clock), facts=_facts(said, said.facts))
        case TrialResult():
            made = _result(_timed(said, clock))
    return cast("T", made)


def _timed(said: Any, clock: Clock) -> Any:
    is_time = isinstance(said.time, int | float) and math.isfinite(said.time)
    return said if is_time else replace(said, time=clock())


def _report(report: Report) -> Report:
    """Return a report; those of our loops are as they should be, and not made anew."""
    numbers = (*report.metrics.values(), *(value for _, value in report.steps))
    counts = type(report.epoch) in (int, float) and 0 <= report.epoch < math.inf and type(report.step) is int
    if counts and all(type(value) is float for value in numbers):
        return report
    metrics = {name: _made(report, str(name), number_of, value) for name, value in report.metrics.items()}
    return replace(
        report,
        epoch=_made(report, "epoch", _count, report.epoch),
        step=_made(report, "step", _whole, report.step),
        metrics={readable(str(name)): value for name, value in metrics.items()},
        steps=tuple((_made(report, "step", _whole, at), _made(report, "loss", number_of, v)) for at, v in report.steps),
    )


def _result(result: TrialResult) -> TrialResult:
    return replace(
        result,
        reason=readable(str(result.reason)),
        traceback=readable(str(result.traceback), TEXT),
        facts=_facts(result, result.facts),
        score=None if result.score is None else _made(result, "score", number_of, result.score),
    )


def _facts(said: object, facts: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Return facts: texts, numbers of Python, and others made such."""
    return {readable(str(name)): _fact(said, str(name), value) for name, value in facts.items()}


def _fact(said: object, name: str, value: Any) -> str | int | float:
    if isinstance(value, str):
        return readable(value, TEXT)
    return value if isinstance(value, int | float) else _made(said, name, number_of, value)


def _count(value: Any) -> int | float:
    """Return a number from 0 up, an int where it is one."""
    number = value if isinstance(value, int) else number_of(value)
    if not 0 <= number < math.inf:
        raise ValueError
    return int(number) if number == int(number) else number


def _whole(value: Any) -> int:
    number = _count(value)
    if not isinstance(number, int):
        raise ValueError
    return number


def _made(said: object, name: str, make: Callable[[Any], T], value: Any) -> T:
    try:
        return make(value)
    except NO_NUMBER:
        shown = f"{name} = {representation(value, _SHOWN)}"
        raise HpsearchError(f"the trial said {shown} in a {type(said).__name__}: it must be a number") from None
