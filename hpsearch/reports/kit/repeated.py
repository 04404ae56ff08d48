"""Trials that only repeat others of their point."""

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

from hpsearch.base.columns import CURVE_COLUMNS
from hpsearch.base.replicates import measured, repeats
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.space import floats


def repeated_trials(table: TrialTable) -> frozenset[tuple[int, int, int]]:
    """Return the trials that only repeat others of their point; curves are compared where scores are equal."""
    found: set[tuple[int, int, int]] = set()
    names = ("point", "seed", "fold", "state")
    columns = (*(table.trials[name].tolist() for name in names), floats(table.trials["score"]).tolist())
    of_points: dict[Any, list[tuple[tuple[int, int], str, float]]] = defaultdict(list)
    for point, seed, fold, state, score in zip(*columns, strict=True):
        of_points[point].append(((int(seed), int(fold)), state, score))
    for point, trials in sorted(of_points.items()):
        if any(state != TrialState.COMPLETE for _, state, _ in trials):
            continue
        scores = {place: score for place, _, score in trials}
        if repeats(scores):
            curves = _measured(table, point)
            found |= {(int(point), *place) for place in repeats({p: (scores[p], *curves[p]) for p in scores})}
    return frozenset(found)


def _measured(table: TrialTable, point: Any) -> dict[tuple[int, int], list[Hashable]]:
    """Return what the trials of a point measured at every epoch, by seed and fold."""
    curves = table.curves[table.curves["point"] == point].sort_values("epoch")
    metrics = [name for name in curves.select_dtypes("number") if name not in CURVE_COLUMNS]
    by_trial: dict[tuple[int, int], list[Hashable]] = defaultdict(list)
    for row in curves.to_dict("records"):
        by_trial[row["seed"], row["fold"]].append(measured(row["epoch"], row["step"], {m: row[m] for m in metrics}))
    return by_trial
