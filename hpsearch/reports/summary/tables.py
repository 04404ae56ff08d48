"""The rows of a search: its points, its trials, its Pareto front."""

import math
from dataclasses import replace
from typing import Any

from hpsearch.base import words
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.cells import NONE, Cell
from hpsearch.reports.kit.points import Point, best_first
from hpsearch.reports.kit.space import INACTIVE, Axis, columns, floats
from hpsearch.reports.kit.tables import END, Row, Table, end_cells, evidence, text_of
from hpsearch.reports.summary.numbers import Summary
from hpsearch.reports.summary.training import counted, tried_of

ROWS = 1000  # of a page's table


def best_points(summary: Summary, most: int) -> tuple[Point, ...]:
    """Return at most `most` points, in the order asked: the best ones, then those that are not complete by number."""
    kept = {p.point for p in best_first(summary.points, summary.objective)[:most]}
    return tuple(p for p in summary.points if p.point in kept)


def point_table(summary: Summary, most: int = ROWS) -> Table:
    """Return one row per point: hyperparameters, mean, sd, interval, the end, n, how many trials train, state.

    Args:
        summary: the study's result.
        most: rows.

    Returns:
        The points in the order asked, at most so many, the best; a dash where there is nothing to say.
    """
    points = best_points(summary, most)
    headings = (
        "point",
        *(a.name for a in summary.axes),
        summary.objective.metric,
        "sd",
        "95 % interval",
        *(END if summary.ends else ()),
        "n",
        "train",
        "state",
    )
    rows = []
    for p in points:
        cells = [
            _number(p.point),
            *(setting(axis, p.params.get(axis.key, INACTIVE)) for axis in summary.axes),
            *evidence(p),
        ]
        cells += _end(p, summary) if summary.ends else ()
        cells += [_number(p.n), Cell(counted(tried_of(summary.rates, p), p)), Cell(p.state.value)]
        rows.append(Row(tuple(cells), p.state, p is summary.best))
    return Table(headings, tuple(rows), len(summary.points))


def _end(p: Point, summary: Summary) -> tuple[Cell, ...]:
    end = None if p.mean is None else summary.ends.get(p.point)
    return (NONE if end is None else Cell(words.score(end.last, p.sd).split(" ")[0], end.last), *end_cells(end))


def trial_table(table: TrialTable, summary: Summary, most: int = ROWS) -> Table:
    """Return one row per trial: point, seed, hyperparameters, score, state, duration, attempts, reason, command.

    Args:
        table: the study.
        summary: its result.
        most: rows; with as many as there are trials none is left out.

    Returns:
        The trials by point and seed, of very many those of the best points, about `most`; the fold is shown when there
        is more than one, attempts when one was retried.
    """
    whole = most >= len(table.trials)
    kept = {p.point for p in best_points(summary, len(summary.points) if whole else max(1, most // summary.replicates))}
    total, table = len(table.trials), replace(table, trials=table.trials[table.trials["point"].isin(kept)])
    trials = table.trials.assign(**{name: floats(table.trials[name]) for name in ("score", "duration_sec")})
    folds = trials["fold"].nunique() > 1
    retried = bool((trials["attempts"] > 1).any())
    names = ["point", "seed", *(["fold"] if folds else []), *(axis.name for axis in summary.axes)]
    names += [summary.objective.metric, "state", "duration", *(["attempts"] if retried else []), "reason"]
    params = columns(table, [axis.key for axis in summary.axes])
    rows = []
    for i, record in enumerate(trials.to_dict("records")):
        cells = [_number(record["point"]), _number(record["seed"]), *([_number(record["fold"])] if folds else [])]
        cells += [setting(axis, params[axis.key][i]) for axis in summary.axes]
        cells += [_score(record["score"]), Cell(str(record["state"])), _duration(record["duration_sec"])]
        cells += [_number(record["attempts"])] if retried else []
        cells.append(Cell(text_of(record["reason"])))
        best = summary.best is not None and record["point"] == summary.best.point
        rows.append(Row(tuple(cells), TrialState(record["state"]), best, text_of(record["command"])))
    return Table(tuple(names), tuple(rows), total)


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
    digits = front.digits
    for number in front.front:
        cells = [
            _number(number),
            *(Cell(words.number(v, each), v) for v, each in zip(front.values[number], digits, strict=True)),
        ]
        cells += [setting(axis, points[number].params.get(axis.key, INACTIVE)) for axis in summary.axes]
        rows.append(Row(tuple(cells), points[number].state, points[number] is summary.best, text_of(commands[number])))
    headings = ("point", *(o.metric for o in front.objectives), *(axis.name for axis in summary.axes))
    return Table(headings, tuple(rows), len(rows))


def _number(value: Any) -> Cell:
    return Cell(words.number(int(value)), float(value))


def setting(axis: Axis, value: Any) -> Cell:
    """Return a value of a hyperparameter; an empty cell where it is `INACTIVE`."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell("" if value is INACTIVE else axis.write(value), float(value) if numeric else None)


def _score(value: float) -> Cell:
    return Cell("", None) if math.isnan(value) else Cell(words.score(value), float(value))


def _duration(value: float) -> Cell:
    return Cell("", None) if math.isnan(value) else Cell(words.duration(value), float(value))
