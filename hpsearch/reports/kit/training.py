"""Which trials of a study learnt something: its tables, as `hpsearch.statistics.training` reads them."""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.space import columns, floats, searched
from hpsearch.statistics.training import Course, Verdict, at_chance, dead, has_moved_and_stopped, verdicts

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
    curves, steps = _curves(table), _step_losses(table)
    facts = {name: floats(table.trials[key]).tolist() for name, key in _FACTS.items() if key in table.trials}
    found: dict[Place, Course] = {}
    trials = (table.trials[name].tolist() for name in (*_TRIAL, "state", "reason"))
    for row, (point, seed, fold, state, reason) in enumerate(zip(*trials, strict=True)):
        place = (int(point), int(seed), int(fold))
        if diverged(state, str(reason)):
            found[place] = Course(diverged=True)
        elif state == TrialState.COMPLETE:
            known = {name: values[row] for name, values in facts.items()}
            found[place] = Course(**_course(curves.get(place, []), steps.get(place, (math.nan, math.nan))), **known)
    return found


def dead_trials(table: TrialTable) -> frozenset[Place]:
    """Return the COMPLETE trials that stayed at chance, see `hpsearch.statistics.training.dead`."""
    points = defaultdict[int, dict[Place, Course]](dict)
    for place, course in courses_of(table).items():
        points[place[0]][place] = course
    return frozenset(
        place for runs in points.values() for place, away in zip(runs, dead(list(runs.values())), strict=True) if away
    )


def failed_points(table: TrialTable) -> frozenset[int]:
    """Return the points of which a trial diverged or moved its weights, stayed at chance and stopped there."""
    return frozenset(
        point
        for (point, *_), run in courses_of(table).items()
        if run.diverged or (at_chance(run) and has_moved_and_stopped(run))
    )


def verdicts_along(table: TrialTable, key: str, values: Mapping[int, float]) -> dict[Place, Verdict | None]:
    """Say of each trial of some points whether the value of a hyperparameter was too slow, trained it, or failed.

    Args:
        table: the study.
        key: the hyperparameter; only of a learning rate do larger values than the best fail by learning too little.
        values: its value by point, of the points to judge, all else equal.

    Returns:
        By (point, seed, fold), of the trials that diverged or came to their end.
    """
    runs = {place: course for place, course in courses_of(table).items() if place[0] in values}
    return verdicts(runs, {place: values[place[0]] for place in runs}, rising=is_rate(key))


def trial_verdicts(table: TrialTable, within: Sequence[str] = ()) -> dict[Place, Verdict | None]:
    """Say of each trial of a study whether its learning rate was too slow, trained it, or failed.

    Args:
        table: the study.
        within: the searched hyperparameters of which each combination of values is judged by itself, such as the
            factors of an ablation.

    Returns:
        By (point, seed, fold), of the trials that diverged or came to their end; without a searched learning rate all
        are judged as if of one rate.
    """
    axes = {axis.key: axis for axis in searched(table)}
    rate = next((axis for key, axis in axes.items() if is_rate(key) and axis.numeric), None)
    factors = [key for key in within if key in axes]
    known = columns(table, [*factors, *([rate.key] if rate else [])])
    rates = known[rate.key] if rate else [0.0] * len(table.trials)
    groups: dict[str, dict[int, float]] = defaultdict(dict)
    for point, value, *levels in zip(
        table.trials["point"].tolist(), rates, *(known[key] for key in factors), strict=True
    ):
        groups[repr(levels)][int(point)] = float(value) if isinstance(value, int | float) else 0.0
    courses = courses_of(table)
    found: dict[Place, Verdict | None] = {}
    for values in groups.values():
        runs = {place: course for place, course in courses.items() if place[0] in values}
        found |= verdicts(runs, {place: values[place[0]] for place in runs}, rising=rate is not None)
    return found


def trains_of(table: TrialTable, within: Sequence[str] = ()) -> dict[int, tuple[bool | None, ...]]:
    """Return, for each point, of each trial that diverged or came to its end whether it trains.

    Args:
        table: the study.
        within: see `trial_verdicts`.

    Returns:
        By seed and fold; None where no loss is known.
    """
    found: dict[int, list[bool | None]] = defaultdict(list)
    for (point, *_), word in sorted(trial_verdicts(table, within).items(), key=lambda each: each[0]):
        found[point].append(None if word is None else word == "trains")
    return {point: tuple(trains) for point, trains in found.items()}


def points_train(table: TrialTable, within: Sequence[str] = ()) -> dict[int, bool]:
    """Return, for each point, whether all of its trials train.

    Args:
        table: the study.
        within: see `trial_verdicts`.

    Returns:
        True or False by point; False where one diverged. Points with a trial that failed or has not ended, or of which
        no loss is known, are left out.
    """
    fate: dict[int, list[Verdict | None]] = defaultdict(list)
    for (point, *_), word in trial_verdicts(table, within).items():
        fate[point].append(word)
    size = table.trials.groupby("point").size().to_dict()
    lost = {point for point, words in fate.items() if "fails" in words}
    whole = {p for p, words in fate.items() if len(words) == size[p] and None not in words}
    return {point: all(word == "trains" for word in fate[point]) for point in sorted(whole | lost)}


def is_rate(key: str) -> bool:
    """Return whether a hyperparameter is a learning rate: its last word is ``lr``, ``learning_rate``, ``lr_max``."""
    words = key.rsplit(".", 1)[-1].lower().split("_")
    return "lr" in words or {"learning", "rate"} <= set(words)


_Row: TypeAlias = tuple[float, float, float, float, float, float]


def _curves(table: TrialTable) -> dict[Place, list[_Row]]:
    """Return (epoch, step, training loss, validation loss, accuracy, update ratio) of each report, by trial."""
    curves = table.curves.sort_values([*_TRIAL, "epoch"])
    measured = [
        floats(curves[name]) if name in curves else np.full(len(curves), math.nan) for name in ("epoch", "step")
    ]
    for part in ("train", "valid"):
        values = np.full(len(curves), math.nan)
        for name in (f"{part}/loss", f"{part}/weighted_loss"):
            if name in curves:
                own = floats(curves[name])
                values = np.where(np.isnan(own), values, own)
        measured.append(values)
    for name in ("valid/acc", "update_ratio"):
        measured.append(floats(curves[name]) if name in curves else np.full(len(curves), math.nan))
    places = zip(*(curves[name].astype(int).tolist() for name in _TRIAL), strict=True)
    rows = zip(places, zip(*(each.tolist() for each in measured), strict=True), strict=True)
    return {place: [row for _, row in of_trial] for place, of_trial in itertools.groupby(rows, key=lambda row: row[0])}


def _step_losses(table: TrialTable) -> Mapping[Place, tuple[float, float]]:
    """Return the losses of the first and the last update on record of each trial, where there are any."""
    if not len(table.steps):
        return {}
    losses = table.steps.sort_values("step").groupby(_TRIAL)["loss"].agg(["first", "last"])
    return {(int(p), int(s), int(f)): (float(a), float(b)) for (p, s, f), a, b in losses.itertuples(name=None)}


def _course(rows: Sequence[_Row], steps: tuple[float, float]) -> dict[str, Any]:
    first, last = steps
    before = next((row for row in rows if row[0] == 0), None)
    after = [row for row in rows if row[0] > 0]
    known = [row for row in after if not math.isnan(row[2])]
    losses = tuple(row[2] for row in known) or ((last,) if not math.isnan(last) else ())
    begun = (0.0, *(row[1] for row in after))
    lengths = (row[5] * (row[1] - step) for row, step in zip(after, begun, strict=False))
    paths = [length for length in lengths if not math.isnan(length)]
    return {
        "losses": losses,
        "epochs": tuple(row[0] for row in known),
        "first": first if not math.isnan(first) else next(iter(losses), math.nan),
        "valid": _last([row[3] for row in after]),
        "untrained": before[3] if before else math.nan,
        "accuracy": _last([row[4] for row in after]),
        "untrained_accuracy": before[4] if before else math.nan,
        "path": math.fsum(paths) if paths else math.nan,
    }


def _last(values: Sequence[float]) -> float:
    return next((value for value in reversed(values) if not math.isnan(value)), math.nan)
