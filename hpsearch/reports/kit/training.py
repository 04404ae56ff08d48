"""Which trials of a study learnt something: its tables, as `hpsearch.statistics.training` reads them."""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.space import floats
from hpsearch.statistics.training import Course, dead

Place: TypeAlias = tuple[int, int, int]
"""Point, seed and fold of a trial."""
_TRIAL = ["point", "seed", "fold"]
_FACTS = {
    "constant": "constant.train/loss",
    "constant_valid": "constant.valid/loss",
    "constant_accuracy": "constant.valid/acc",
    "samples": "data.valid_size",
}


def courses_of(table: TrialTable) -> dict[Place, Course]:
    """Return how each trial ended, of those that diverged or came to their end.

    Args:
        table: the study.

    Returns:
        By (point, seed, fold). A loss is ``weighted_loss`` where there is one: that is what is minimized.
    """
    curves, first = _curves(table), _first_losses(table)
    facts = {name: floats(table.trials[key]).tolist() for name, key in _FACTS.items() if key in table.trials}
    found: dict[Place, Course] = {}
    columns = (table.trials[name].tolist() for name in (*_TRIAL, "state", "reason"))
    for row, (point, seed, fold, state, reason) in enumerate(zip(*columns, strict=True)):
        place = (int(point), int(seed), int(fold))
        if diverged(state, str(reason)):
            found[place] = Course(diverged=True)
        elif state == TrialState.COMPLETE:
            known = {name: values[row] for name, values in facts.items()}
            found[place] = Course(**_course(curves.get(place, []), first.get(place, math.nan)), **known)
    return found


def dead_trials(table: TrialTable) -> frozenset[Place]:
    """Return the COMPLETE trials that stayed at chance, see `hpsearch.statistics.training.dead`."""
    points = defaultdict[int, dict[Place, Course]](dict)
    for place, course in courses_of(table).items():
        points[place[0]][place] = course
    return frozenset(
        place for runs in points.values() for place, away in zip(runs, dead(list(runs.values())), strict=True) if away
    )


_Row: TypeAlias = tuple[float, float, float, float, float, float]


def _curves(table: TrialTable) -> dict[Place, list[_Row]]:
    """Return (epoch, step, training loss, validation loss, accuracy, update ratio) of each report, by trial."""
    curves = table.curves.sort_values([*_TRIAL, "epoch"])
    columns = [floats(curves[name]) if name in curves else np.full(len(curves), math.nan) for name in ("epoch", "step")]
    for part in ("train", "valid"):
        values = np.full(len(curves), math.nan)
        for name in (f"{part}/loss", f"{part}/weighted_loss"):
            if name in curves:
                own = floats(curves[name])
                values = np.where(np.isnan(own), values, own)
        columns.append(values)
    for name in ("valid/acc", "update_ratio"):
        columns.append(floats(curves[name]) if name in curves else np.full(len(curves), math.nan))
    places = zip(*(curves[name].astype(int).tolist() for name in _TRIAL), strict=True)
    rows = zip(places, zip(*(each.tolist() for each in columns), strict=True), strict=True)
    return {place: [row for _, row in of_trial] for place, of_trial in itertools.groupby(rows, key=lambda row: row[0])}


def _first_losses(table: TrialTable) -> Mapping[Place, float]:
    """Return the loss of the first update of each trial, where updates were recorded."""
    first = table.steps.sort_values("step").groupby(_TRIAL)["loss"].first()
    return {(int(p), int(s), int(f)): float(loss) for (p, s, f), loss in first.items()}


def _course(rows: Sequence[_Row], first: float) -> dict[str, float | tuple[float, ...]]:
    before = next((row for row in rows if row[0] == 0), None)
    after = [row for row in rows if row[0] > 0]
    losses = tuple(row[2] for row in after if not math.isnan(row[2]))
    steps = np.diff([0.0, *(row[1] for row in after)])
    paths = [row[5] * step for row, step in zip(after, steps, strict=True) if not math.isnan(row[5] * step)]
    return {
        "losses": losses,
        "first": first if not math.isnan(first) else next(iter(losses), math.nan),
        "valid": _last([row[3] for row in after]),
        "untrained": before[3] if before else math.nan,
        "accuracy": _last([row[4] for row in after]),
        "untrained_accuracy": before[4] if before else math.nan,
        "path": math.fsum(paths) if paths else math.nan,
    }


def _last(values: Sequence[float]) -> float:
    return next((value for value in reversed(values) if not math.isnan(value)), math.nan)
