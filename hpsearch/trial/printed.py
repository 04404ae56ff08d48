"""What a program prints, as measurements: metrics by name in a line of text, or a line of JSON."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.intake import json_value
from hpsearch.base.readable import readable
from hpsearch.base.real import number_of

NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?)"
_LIKE_A_NUMBER = r"[-+]?\.?\d[\w.,+/-]*|[-+]?nan\b|[-+]?inf\w*"
_END = r"(?![\w./]|,\d)"
_PAIR = re.compile(
    rf"(?<![\w./-])[\d./-]*(?P<name>[A-Za-z_][\w./-]*)[\"']?\s*[:=]\s*(?P<value>{NUMBER}){_END}", re.IGNORECASE
)
_COUNTS = {
    name: re.compile(rf"\b{name}s?\b[\"']?\s*+[:=#\[(]*+\s*+(\d{{1,15}})(?!\d)", re.IGNORECASE)
    for name in ("epoch", "step")
}
_NO_METRIC = ("epoch", "epochs", "step", "steps")
_AUTO = "auto"
_MOST_NAMES, _MOST_LINES = 12, 1000
_END_SIGNS = 1000
"""Of a line, from either end, in which a user's patterns are looked for: some take as long as the cube of what they
search."""
GROUPS = ("epoch", "step")
"""Groups of a pattern that are no metric."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a line says.

    Attributes:
        metrics: numbers by name.
        epoch: after which; None where the line has none.
        step: updates so far; the same.
    """

    metrics: Mapping[str, float]
    epoch: int | None = None
    step: int | None = None


@dataclass
class Printed:
    """Reads measurements in lines.

    Args:
        pattern: a regular expression for the first metric, or several by metric: the group ``value``, or else the
            first one, is the number, groups ``epoch`` and ``step`` are numbers too. ``auto``: a line counts that has
            the name of a metric and a number after it; what else has ``NAME=NUMBER`` there is a metric too, and a line
            before it may have the epoch. None: nothing that is printed counts.
        metrics: names of the objectives, and of what has a limit.

    Attributes:
        names: of some numbers that were printed and are none of the metrics.
    """

    pattern: str | Mapping[str, str] | None
    metrics: Sequence[str]
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        by_name = self.pattern if isinstance(self.pattern, Mapping) else {self.metrics[0]: self.pattern}
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._epoch: int | None = None
        self._noted = 0
        if self.pattern == _AUTO:
            for name in self.metrics:
                name_ = rf"(?<![\w./-]){re.escape(name)}[\"']?"
                said = rf"{name_}\s*[:=]\s*(?P<value>{_LIKE_A_NUMBER})|{name_}\s+(?P<bare>{NUMBER}){_END}"
                self._patterns[name] = re.compile(said, re.IGNORECASE)
        elif self.pattern is not None:
            self._patterns = {str(name): re.compile(str(pattern)) for name, pattern in by_name.items()}

    def read(self, line: str) -> Measured | None:
        """Return what a line says, None for nothing; what stands in the place of a number and is none is refused."""
        if self.pattern is None:
            return None
        if self.pattern == _AUTO and line.lstrip().startswith("{") and (found := measured_in_json(line)) is not None:
            return self._wanted(found)
        if self.pattern == _AUTO:
            return self._auto(line)
        line = line if len(line) <= 2 * _END_SIGNS else f"{line[:_END_SIGNS]} ... {line[-_END_SIGNS:]}"
        matches = {name: match for name, each in self._patterns.items() if (match := each.search(line))}
        if not matches:
            return None
        counts = {group: _count(matches.values(), group) for group in GROUPS}
        return Measured({name: self._number(name, _value(match)) for name, match in matches.items()}, **counts)

    def _auto(self, line: str) -> Measured | None:
        """Read a line; of the many that say nothing only whether a name stands in them is looked at."""
        lower = line.lower()
        matches = {
            name: match
            for name, each in self._patterns.items()
            if name.lower() in lower and (match := each.search(line))
        }
        counts = {
            name: int(found[1]) if name in lower and (found := each.search(line)) else None
            for name, each in _COUNTS.items()
        }
        if not matches:
            if self._noted < _MOST_LINES:
                self._noted += 1
                self._note(_pairs(line))
            self._epoch = self._epoch if counts["epoch"] is None else counts["epoch"]
            return None
        if counts["epoch"] is None:
            counts["epoch"] = self._epoch
        self._epoch = None
        numbers = {
            name: self._number(name, (match["value"] or match["bare"]).rstrip(",./-"))
            for name, match in matches.items()
        }
        return Measured({**_pairs(line), **numbers}, **counts)

    def _wanted(self, found: Measured) -> Measured | None:
        if set(self.metrics) & found.metrics.keys():
            return found
        self._note(found.metrics)
        return None

    def _note(self, names: Mapping[str, float]) -> None:
        if len(self.names) < _MOST_NAMES:
            self.names += [name for name in names if name not in self.names][: _MOST_NAMES - len(self.names)]

    def _number(self, name: str, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            pass
        if re.fullmatch(r"[-+]?\d+,\d+", text):
            raise ConfigError(
                f"the program printed {name} as {text!r}, with a decimal comma: print it with a point (for most "
                "programs the environment variable LC_ALL=C is enough)"
            )
        raise ConfigError(f"the program printed {name} as {text!r:.60}, which is no number: see trainer.pattern")


def measured_in_json(line: str) -> Measured | None:
    """Return the numbers of a line of JSON by name, those of tables inside with dots; None where it is no table."""
    try:
        content = json_value(line)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    numbers = dict(_numbers(content, ""))
    counts = {name: int(value) if math.isfinite(value := numbers.pop(name, math.nan)) else None for name in GROUPS}
    return Measured(numbers, **counts)


def _pairs(line: str) -> dict[str, float]:
    """Return the numbers that a line has after names."""
    found = _PAIR.finditer(line) if "=" in line or ":" in line else ()
    return {each["name"]: float(each["value"]) for each in found if each["name"].lower() not in _NO_METRIC}


def _numbers(content: Mapping[str, Any], before: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            found += _numbers(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((readable(f"{before}{name}"), number_of(value)))
    return found


def _value(match: re.Match[str]) -> str:
    return str(match["value"] if "value" in match.re.groupindex else match[1]).strip()


def _count(matches: Any, group: str) -> int | None:
    for match in matches:
        if group in match.re.groupindex and match[group] is not None:
            return _whole(group, match[group])
    return None


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text.strip()):
        raise ConfigError(f"the program printed {name} as {text!r:.60}, which is no whole number: see trainer.pattern")
    return int(text)


def check_pattern(key: str, value: Any) -> None:
    """Refuse what is no pattern.

    Raises:
        ConfigError: it is no regular expression, or holds no group for the number.
    """
    if value is None or value == _AUTO:
        return
    by_name = value if isinstance(value, Mapping) else {"": value}
    for name, pattern in by_name.items():
        where = f"{key}.{name}" if name else key
        try:
            groups = re.compile(pattern).groups
        except (re.error, TypeError) as error:
            raise ConfigError(f"{where} = {pattern!r}: is no regular expression ({error})") from None
        if not groups:
            raise ConfigError(f"{where} = {pattern!r}: needs a group for the number, as {'accuracy ([0-9.]+)'!r}")
