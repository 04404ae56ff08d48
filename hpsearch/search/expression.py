"""Hydra's sweep grammar, read as one searched hyperparameter each: ``choice``, ``range``, ``interval``; our ``zip``."""

import json
import math
import random
import re
from collections.abc import Hashable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, QuotedString, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpsearch.base.conditions import split_name
from hpsearch.base.errors import SpaceError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.override_parser import Parser
from hpsearch.base.real import is_finite
from hpsearch.search.parameter import Parameter, is_plain_choice

_QUOTED_OR_NONE = re.compile(
    r"""(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?<![\w.$/+-])None(?![\w.$/+-])|(?P<space>\s+)""", re.DOTALL
)
MAX_RANGE = 1_000_000
MAX_WHOLE = 2**53  # beyond, not every whole number is a float


def parse_parameter(name: str, expression: str) -> Parameter:
    """Return one searched hyperparameter.

    Args:
        name: what Optuna calls it: its conditions and its key.
        expression: how it is searched.

    Raises:
        SpaceError: the expression makes no sense.
    """
    key, condition = split_name(name)
    sweep = _sweep(expression)
    if isinstance(sweep, _ZipSweep):
        values, text = _zip(sweep)
        places = IntDistribution(0, len(values) - 1)
        return Parameter(name, key, condition, places, text, tuple(values), zipped=_tag(sweep))
    if isinstance(sweep, IntervalSweep):
        return Parameter(name, key, condition, _interval(sweep), _interval_text(sweep), None)
    if sweep.tags:
        raise SpaceError(f"tag {', '.join(sorted(sweep.tags))} is for intervals only")
    values, text = _range(sweep) if isinstance(sweep, RangeSweep) else _choice(sweep)
    if sweep.shuffle:
        text = f"shuffle({text})"
        random.Random(text).shuffle(values)
    ranked = isinstance(sweep, ChoiceSweep) and all(map(is_finite, values))
    distribution = IntDistribution(0, len(values) - 1) if ranked else _finite(values, sweep)
    return Parameter(name, key, condition, distribution, text, tuple(values), ranked)


def _any_choice(*args: Any) -> ChoiceSweep:
    """Stand in for Hydra's `choice`, which does not take null."""
    return ChoiceSweep(list=list(args))


class _ZipSweep(ChoiceSweep):
    """Values that are taken together with those at the same place of other keys."""


def _any_zip(*args: Any) -> _ZipSweep:
    return _ZipSweep(list=list(args))


@cache
def _parser() -> Parser:
    parser = Parser()
    del parser.functions.definitions["choice"], parser.functions.functions["choice"]
    parser.functions.register(name="choice", func=_any_choice)
    parser.functions.register(name="zip", func=_any_zip)
    return parser


def _sweep(expression: Any) -> ChoiceSweep | RangeSweep | IntervalSweep:
    if not isinstance(expression, str):
        raise SpaceError("no search expression; write choice(...), range(...) or interval(...)")
    try:
        override = _parser().parse_override(f"key={_on_one_line(expression.strip())}")
    except HydraException as error:
        raise SpaceError(_reason(error)) from None
    sweep = override.value()
    if isinstance(sweep, ChoiceSweep | RangeSweep | IntervalSweep):
        return sweep
    if override.is_sweep_override():
        raise SpaceError("glob is not supported; write choice(...)")
    raise SpaceError("no search expression; write choice(...), range(...) or interval(...)")


def _on_one_line(expression: str) -> str:
    """Return an expression with one space for each gap, and Hydra's null for Python's None, but in quotation marks."""
    return _QUOTED_OR_NONE.sub(lambda match: match["quoted"] or (" " if match["space"] else "null"), expression)


def _reason(error: HydraException) -> str:
    """Return the telling part of a parser's message on one line."""
    message = str(error)
    unknown = re.search(r"Unknown function '(\w+)'\nAvailable: ([\w,]+)", message)
    if unknown:
        known = [name for name in unknown[2].split(",") if name != "glob"]
        return f"unknown function {unknown[1]}{nearest(unknown[1], known)} (known: {', '.join(known)})"
    unordered = re.search(r"not supported between instances of ('\w+' and '\w+')", message)
    if unordered:
        return f"its values cannot be compared ({unordered[1]})"
    if "while evaluating" in message:
        return " ".join(message.partition("': ")[2].split())
    if "no viable alternative" in message:
        return "it does not parse; is a bracket missing?"
    return " ".join(line for line in message.splitlines() if "Error parsing" not in line and "https" not in line)


def _interval(sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    if sweep.tags - {"log"}:
        raise SpaceError(f"unknown tag {', '.join(sorted(sweep.tags - {'log'}))}, the only one is log")
    if not (is_finite(low) and is_finite(high)):
        raise SpaceError("both ends must be finite numbers")
    if low >= high:
        raise SpaceError(f"the interval is {'reversed' if low > high else 'a single value'}: {low:g} to {high:g}")
    if log and low <= 0:
        raise SpaceError(f"a log interval must start above 0, not at {low:g}")
    if isinstance(low, int) and isinstance(high, int):
        _check_whole(low, high)
        return IntDistribution(low, high, log=log)
    if not math.isfinite(high - low):
        raise SpaceError(f"the interval is too wide: {low:g} to {high:g}")
    return FloatDistribution(low, high, log=log)


def _interval_text(sweep: IntervalSweep) -> str:
    text = f"interval({sweep.start!r}, {sweep.end!r})"
    if isinstance(sweep.start, int):
        text = f"int({text})"
    return f"tag(log, {text})" if "log" in sweep.tags else text


def _check_whole(*numbers: int) -> None:
    for number in numbers:
        if abs(number) > MAX_WHOLE:
            raise SpaceError(f"{number} is too large: not every whole number beyond 2**53 can be drawn")


def _range(sweep: RangeSweep) -> tuple[list[Any], str]:
    if not all(is_finite(number) for number in (sweep.start, sweep.stop, sweep.step)):
        raise SpaceError("its ends and step must be finite numbers")
    start, stop, step = (Decimal(str(number)) for number in (sweep.start, sweep.stop, sweep.step))
    if step == 0:
        raise SpaceError("a step of 0 goes nowhere")
    number = math.ceil((stop - start) / step)
    if number <= 0:
        raise SpaceError("the range is empty")
    if number > MAX_RANGE:
        raise SpaceError(f"{number} values are too many for a range (at most {MAX_RANGE}); write interval(...)")
    whole = all(isinstance(part, int) for part in (sweep.start, sweep.stop, sweep.step))
    values = [int(start + step * i) if whole else float(start + step * i) for i in range(number)]
    if whole:
        _check_whole(int(values[0]), int(values[-1]))
    if len(set(values)) < number:
        raise SpaceError(f"a step of {sweep.step!r} is too small to tell its values apart")
    return values, f"range({sweep.start!r}, {sweep.stop!r}, {sweep.step!r})"


def _choice(sweep: ChoiceSweep) -> tuple[list[Any], str]:
    values = [_plain(value) for value in sweep.list]
    if not values:
        raise SpaceError("an empty choice is not allowed")
    texts = [_text(value) for value in values]
    known: dict[Hashable, str] = {}
    for value, text in zip(values, texts, strict=True):
        earlier = known.get(_meaning(value))
        if earlier is not None:
            raise SpaceError(f"{text} is listed twice" + ("" if earlier == text else f", see {earlier}"))
        known[_meaning(value)] = text
    return values, f"choice({', '.join(texts)})"


def _zip(sweep: _ZipSweep) -> tuple[list[Any], str]:
    values = [_plain(value) for value in sweep.list]
    if not values:
        raise SpaceError("an empty zip is not allowed")
    text = f"zip({', '.join(map(_text, values))})"
    return values, f"tag({_tag(sweep)}, {text})" if sweep.tags else text


def _tag(sweep: _ZipSweep) -> str:
    if len(sweep.tags) > 1 or sweep.shuffle:
        raise SpaceError("a zip takes one tag at most, and is not shuffled")
    return next(iter(sweep.tags), "")


def _text(value: Any) -> str:
    try:
        return value_text(value)
    except TypeError as error:
        raise SpaceError(str(error)) from None


def _meaning(value: Any) -> Hashable:
    """Return what is equal for values that a trial cannot tell apart: 1 and 1.0, or dicts in another order."""
    if isinstance(value, list):
        return ("list", *map(_meaning, value))
    if isinstance(value, dict):
        return ("dict", frozenset((key, _meaning(item)) for key, item in value.items()))
    return (isinstance(value, bool), value)


def _plain(value: Any) -> Any:
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_dict_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise SpaceError(f"{value} is no finite number")
    if isinstance(value, str) and "${" in value:
        raise SpaceError(f"{value} cannot be looked up inside a search expression given as a word")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SpaceError("one search expression inside another is not allowed")


def _dict_key(key: Any) -> str:
    text = _plain(key)
    if not isinstance(text, str):
        raise SpaceError(f"{text} is no key of a dict: keys are plain words")
    return text


def _finite(values: Sequence[Any], sweep: ChoiceSweep | RangeSweep) -> BaseDistribution:
    if isinstance(sweep, ChoiceSweep):
        as_json = not is_plain_choice(values)
        return CategoricalDistribution([json.dumps(v, sort_keys=True) if as_json else v for v in values])
    low, high, step = min(values), max(values), abs(sweep.step)
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, step=int(step))
    return FloatDistribution(low, high, step=float(step))
