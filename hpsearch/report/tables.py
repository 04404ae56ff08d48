"""Rows of a report's tables and of ``trials.csv``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.analysis import words
from hpsearch.analysis.space import column, floats
from hpsearch.analysis.sweep import Point, Summary, best_trial
from hpsearch.types import TrialState, TrialTable

_FIRST = ("point", "seed", "fold", "state", "score", "duration_sec", "attempts", "reason", "started", "ended", "run_id")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text and, where it is a number, the value it sorts by."""

    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells, and what a page shows beside them.

    Attributes:
        cells: as many as the table has headings.
        state: state of the point or trial.
        best: whether it is the best point or one of its trials.
        command: the command that trains the trial again; empty for a point.
    """

    cells: tuple[Cell, ...]
    state: TrialState
    best: bool
    command: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def point_table(summary: Summary) -> Table:
    """Return one row per point: hyperparameters, mean, sd, interval, n, state.

    Args:
        summary: the study's result.

    Returns:
        The points in the order asked; a dash where there is nothing to say.
    """
    keys = [axis.key for axis in summary.axes]
    headings = ("point", *(a.name for a in summary.axes), summary.objective.metric, "sd", "95 % interval", "n", "state")
    rows = []
    for p in summary.points:
        cells = [_number(p.point), *(_setting(p.params.get(key)) for key in keys), *_evidence(p)]
        cells += [_number(p.n), Cell(p.state.value)]
        rows.append(Row(tuple(cells), p.state, p is summary.best))
    return Table(headings, tuple(rows))


def trial_table(table: TrialTable, summary: Summary) -> Table:
    """Return one row per trial: point, seed, hyperparameters, score, state, duration, attempts, reason, command.

    Args:
        table: the study.
        summary: its result.

    Returns:
        The trials by point and seed; the fold is shown when there is more than one, attempts when one was retried.
    """
    trials = table.trials.assign(**{name: floats(table.trials[name]) for name in ("score", "duration_sec")})
    folds = trials["fold"].nunique() > 1
    retried = bool((trials["attempts"] > 1).any())
    names = ["point", "seed", *(["fold"] if folds else []), *(axis.name for axis in summary.axes)]
    names += [summary.objective.metric, "state", "duration", *(["attempts"] if retried else []), "reason"]
    params = {axis.key: column(table, axis.key) for axis in summary.axes}
    rows = []
    for i, record in enumerate(trials.to_dict("records")):
        cells = [_number(record["point"]), _number(record["seed"]), *([_number(record["fold"])] if folds else [])]
        cells += [_setting(values[i]) for values in params.values()]
        cells += [_score(record["score"]), Cell(str(record["state"])), _duration(record["duration_sec"])]
        cells += [_number(record["attempts"])] if retried else []
        cells.append(Cell(_text(record["reason"])))
        best = summary.best is not None and record["point"] == summary.best.point
        rows.append(Row(tuple(cells), TrialState(record["state"]), best, _text(record["command"])))
    return Table(tuple(names), tuple(rows))


def best_command(table: TrialTable, summary: Summary) -> str:
    """Return the command that trains the best trial of the best point again; empty without a best point."""
    best = best_trial(table, summary)
    return "" if best is None else _text(best["command"])


def trials_csv(table: TrialTable) -> str:
    """Return the trials as CSV: one row each, first what every study has, then hyperparameters, metrics and facts."""
    first = [c for c in _FIRST if c in table.trials]
    last = [c for c in ("key", "command") if c in table.trials]
    rest = [c for c in table.trials if c not in first and c not in last]
    ordered = table.trials.sort_values(["point", "seed", "fold"])[[*first, *rest, *last]]
    return str(ordered.to_csv(index=False, lineterminator="\n"))


def flat(mapping: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested mapping as dotted keys and texts, in its order."""
    lines: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            lines += flat(value, f"{name}.")
        else:
            lines.append((name, words.number(value)))
    return lines


def _text(value: Any) -> str:
    """Return a cell of text; the store may hold None or NaN for an empty one."""
    return value if isinstance(value, str) else ""


def _number(value: Any) -> Cell:
    return Cell(words.number(int(value)), float(value))


def _setting(value: Any) -> Cell:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell("" if value is None else words.number(value), float(value) if numeric else None)


def _score(value: float) -> Cell:
    return Cell("", None) if math.isnan(value) else Cell(words.score(value), float(value))


def _duration(value: float) -> Cell:
    return Cell("", None) if math.isnan(value) else Cell(words.duration(value), float(value))


def _evidence(p: Point) -> Sequence[Cell]:
    if p.mean is None:
        return (Cell("–"), Cell("–"), Cell("–"))
    digits = words.decimals(p.mean, p.sd)
    mean = Cell(f"{p.mean:.{digits}f}", p.mean)
    if p.sd is None or p.interval is None:
        return (mean, Cell("–"), Cell("–"))
    ends = words.interval(p.interval.low, p.interval.high, p.mean, p.sd)
    return (mean, Cell(f"{p.sd:.{digits}f}", p.sd), Cell(ends, p.interval.high - p.interval.low))
