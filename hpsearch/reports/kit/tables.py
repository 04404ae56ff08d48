"""Rows of a report's tables and of ``trials.csv``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpsearch.base import words
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.space import column, floats
from hpsearch.reports.summary.sweep import Point, Summary, best_trial

ROWS = 1000  # of a page's table
_FIRST = ("point", "seed", "fold", "state", "score", "duration_sec", "attempts", "reason", "started", "ended", "run_id")


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
    """Headings and rows; `total` is how many rows there are, more than `rows` where only the best are kept."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int


def as_table(headings: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Table:
    """Return rows of cells as a table that says nothing of their state."""
    return Table(tuple(headings), tuple(Row(cells, TrialState.COMPLETE, best=False) for cells in rows), len(rows))


def best_points(summary: Summary, most: int) -> tuple[Point, ...]:
    """Return at most `most` points, in the order asked: those with the best means, then the others by number."""
    sign = -1 if summary.objective.maximize else 1
    ranked = sorted(summary.points, key=lambda p: (p.mean is None, sign * (p.mean or 0.0), p.point))
    kept = {p.point for p in ranked[:most]}
    return tuple(p for p in summary.points if p.point in kept)


def point_table(summary: Summary) -> Table:
    """Return one row per point: hyperparameters, mean, sd, interval, n, state.

    Args:
        summary: the study's result.

    Returns:
        The points in the order asked, at most the 1,000 best; a dash where there is nothing to say.
    """
    points = best_points(summary, ROWS)
    keys = [axis.key for axis in summary.axes]
    headings = ("point", *(a.name for a in summary.axes), summary.objective.metric, "sd", "95 % interval", "n", "state")
    rows = []
    for p in points:
        cells = [_number(p.point), *(_setting(p.params.get(key)) for key in keys), *evidence(p)]
        cells += [_number(p.n), Cell(p.state.value)]
        rows.append(Row(tuple(cells), p.state, p is summary.best))
    return Table(headings, tuple(rows), len(summary.points))


def trial_table(table: TrialTable, summary: Summary) -> Table:
    """Return one row per trial: point, seed, hyperparameters, score, state, duration, attempts, reason, command.

    Args:
        table: the study.
        summary: its result.

    Returns:
        The trials by point and seed, of very many those of the best points, about 1,000; the fold is shown when there
        is more than one, attempts when one was retried.
    """
    kept = {p.point for p in best_points(summary, max(1, ROWS // summary.replicates))}
    whole, table = len(table.trials), replace(table, trials=table.trials[table.trials["point"].isin(kept)])
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
    return Table(tuple(names), tuple(rows), whole)


def front_table(table: TrialTable, summary: Summary) -> Table | None:
    """Return one row per point of the Pareto front: objectives, hyperparameters, the command of its first trial.

    Args:
        table: the study.
        summary: its result.

    Returns:
        The front in the order of the primary objective, the best first; None without one.
    """
    front = summary.front
    if front is None or not front.front:
        return None
    first = table.trials[table.trials["point"].isin(front.front)].sort_values(["seed", "fold"])
    commands = first.groupby("point")["command"].first().to_dict()
    points = {p.point: p for p in summary.points}
    rows = []
    for number in front.front:
        cells = [_number(number), *(Cell(words.number(value), value) for value in front.values[number])]
        cells += [_setting(points[number].params.get(axis.key)) for axis in summary.axes]
        rows.append(Row(tuple(cells), points[number].state, points[number] is summary.best, _text(commands[number])))
    headings = ("point", *(o.metric for o in front.objectives), *(axis.name for axis in summary.axes))
    return Table(headings, tuple(rows), len(rows))


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


def evidence(p: Point) -> Sequence[Cell]:
    """Return mean, sd and interval of a point, dashes where there are none."""
    if p.mean is None:
        return (Cell("–"), Cell("–"), Cell("–"))
    digits = words.decimals(p.mean, p.sd)
    mean = Cell(f"{p.mean:.{digits}f}", p.mean)
    if p.sd is None or p.interval is None:
        return (mean, Cell("–"), Cell("–"))
    ends = words.interval(p.interval.low, p.interval.high, p.mean, p.sd)
    return (mean, Cell(f"{p.sd:.{digits}f}", p.sd), Cell(ends, p.interval.high - p.interval.low))
