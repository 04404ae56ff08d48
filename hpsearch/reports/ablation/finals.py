"""Training, validation and test part at the final weights of the arms, in evaluation mode."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hpsearch.base.columns import metric_column
from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.contrasts import Contrast, Measured, contrasts
from hpsearch.statistics.intervals import Estimate, estimate

if TYPE_CHECKING:
    import pandas as pd

TRAIN, VALID, TEST = "train_eval", "valid", "test"
PARTS: Mapping[str, str] = {TRAIN: "training", VALID: "validation", TEST: "test"}
"""Parts of the data in evaluation mode, by the first word of their metrics."""
LOSS, ACCURACY = "loss", "acc"
_TRIAL = ["point", "seed", "fold"]


@dataclass(frozen=True, slots=True)
class Final:
    """What an arm's trials measured at their final weights, in evaluation mode: no dropout, no augmentation.

    Attributes:
        arm: its name.
        parts: by part of `PARTS` and metric, ``acc`` or ``loss``, the mean over its trials, with Student's interval
            over the seeds, on these samples.
        gaps: likewise, by ``valid`` and ``test``, the training part minus that part, paired by trial.
    """

    arm: str
    parts: Mapping[str, Mapping[str, Estimate]]
    gaps: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True, slots=True)
class Finals:
    """The final weights of an ablation.

    Attributes:
        weights: which weights these are: ``final``, ``restored`` by early stopping, or ``best``.
        metrics: what was measured of them, the objective's metric first.
        arms: one record per arm with a measurement, in their order.
        tested: every arm of which every trial trains against the reference, by the objective's metric on the test part;
            empty where it was not evaluated.
        gapped: likewise by the training part minus the test part, or the validation part where there is no test.
        gap_part: which of the two that is; empty where the training part was not evaluated.
        values: by arm and metric, ``train_eval/acc``, what each trial measured.
    """

    weights: str
    metrics: tuple[str, ...]
    arms: tuple[Final, ...]
    tested: tuple[Contrast, ...] = ()
    gapped: tuple[Contrast, ...] = ()
    gap_part: str = ""
    values: Mapping[str, Measured] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> list[str]:
        """The parts that were measured of any arm."""
        return [part for part in PARTS if any(part in each.parts for each in self.arms)]


def finals_of(table: TrialTable, arms: Sequence[Arm], objective: Objective, reference: Arm | None) -> Finals:
    """Return what the trials of the arms measured at their final weights.

    Where early stopping restores the best weights, or a trial is scored by its best epoch, these are the final ones.

    Args:
        table: the study of the arms.
        arms: its arms; of each the trials count that its score is of.
        objective: what they are compared by.
        reference: the arm that the others are compared with.

    Returns:
        The record; without arms where nothing was measured on the validation part.
    """
    weights, rows = weights_of(table, objective), _rows(table, objective)
    own = objective.metric.partition("/")[2] if objective.metric.startswith("valid/") else ""
    metrics = tuple(
        m for m in dict.fromkeys((own, ACCURACY, LOSS)) if any(f"{VALID}/{m}" in row for row in rows.values())
    )
    found = []
    for arm in arms:
        trials = {each: rows[arm.point, *each] for each in arm.replicates if (arm.point, *each) in rows}
        if trials and metrics:
            found.append((arm.name, trials))
    known = tuple(Final(name, _parts(trials, metrics), _gaps(trials, metrics)) for name, trials in found)
    if not known or own not in metrics:
        return Finals(weights, metrics, known)
    whole = [each for each in found if each[0] not in {arm.name for arm in arms if arm.lost}]
    apart = next((part for part in (TEST, VALID) if any(own in each.gaps.get(part, {}) for each in known)), "")
    return Finals(
        weights,
        metrics,
        known,
        contrasts(_by_arm(whole, f"{TEST}/{own}"), reference),
        contrasts(_by_arm(whole, f"{TRAIN}/{own}", f"{apart}/{own}"), reference) if apart else (),
        apart,
        {arm: _by_metric(trials) for arm, trials in found},
    )


def weights_of(table: TrialTable, objective: Objective) -> str:
    """Say of which weights the last evaluations of a study's trials are: ``final``, ``restored`` or ``best``."""
    if objective.reduce == "best":
        return "best"
    stopping: Any = dict((table.study.get("config") or {}).get("regularizer") or {}).get("early_stopping")
    restores = isinstance(stopping, Mapping) and stopping.get("restore_best", True)
    return "restored" if restores else "final"


def _by_metric(trials: Mapping[tuple[int, int], Mapping[str, float]]) -> dict[str, dict[tuple[int, int], float]]:
    names = dict.fromkeys(name for row in trials.values() for name in row)
    return {name: {each: row[name] for each, row in trials.items() if name in row} for name in names}


def _by_arm(found: Sequence[tuple[str, Mapping[tuple[int, int], Mapping[str, float]]]], *names: str) -> Measured:
    """Return a metric of every trial by arm, less another one where two are named."""
    return {
        arm: {
            each: row[names[0]] - sum(row[name] for name in names[1:])
            for each, row in trials.items()
            if all(name in row for name in names)
        }
        for arm, trials in found
    }


def _parts(
    trials: Mapping[tuple[int, int], Mapping[str, float]], metrics: Sequence[str]
) -> dict[str, dict[str, Estimate]]:
    found: dict[str, dict[str, Estimate]] = {}
    for part in PARTS:
        for metric in metrics:
            values = [row[name] for row in trials.values() if (name := f"{part}/{metric}") in row]
            if values and len(values) == len(trials):
                found.setdefault(part, {})[metric] = _possible(estimate(values), metric)
    return found


def _possible(found: Estimate, metric: str) -> Estimate:
    """Return an estimate whose interval is cut at what a share can be."""
    if metric != ACCURACY or found.t is None:
        return found
    cut = replace(found.t, low=max(found.t.low, 0.0), high=min(found.t.high, 1.0))
    return replace(found, t=cut if cut.low < cut.high else None)


def _gaps(
    trials: Mapping[tuple[int, int], Mapping[str, float]], metrics: Sequence[str]
) -> dict[str, dict[str, Estimate]]:
    found: dict[str, dict[str, Estimate]] = {}
    for part in (VALID, TEST):
        for metric in metrics:
            names = f"{TRAIN}/{metric}", f"{part}/{metric}"
            values = [row[names[0]] - row[names[1]] for row in trials.values() if all(name in row for name in names)]
            if values and len(values) == len(trials):
                found.setdefault(part, {})[metric] = estimate(values)
    return found


def _rows(table: TrialTable, objective: Objective) -> dict[tuple[int, int, int], dict[str, float]]:
    """Return what each COMPLETE trial measured at its final weights, by the name of the metric."""
    done = table.trials[table.trials["state"] == TrialState.COMPLETE]
    last = {trial: _measured(row) for trial, row in _by_trial(done).items()}
    ended = {} if table.ends is None else _by_trial(table.ends.sort_values("step"), of_all=True)
    kept = {} if weights_of(table, objective) == "final" else _at_best(table, done)
    found = {}
    for trial, row in last.items():
        ends = [_measured(each) for each in ended.get(trial, ())]
        further = [each for each in ends if any(name.startswith((f"{TRAIN}/", f"{TEST}/")) for name in each)]
        found[trial] = (further or ends)[-1] if ends else {**row, **kept.get(trial, {})}
    return found


def _at_best(table: TrialTable, done: "pd.DataFrame") -> dict[tuple[int, int, int], dict[str, float]]:
    """Return the row of the curve whose weights were kept, of each trial that says which that is."""
    if "best_epoch" not in done:
        return {}
    best = {(*trial, row["best_epoch"]) for trial, row in _by_trial(done).items()}
    rows = table.curves[[(*map(int, key[:3]), key[3]) in best for key in _keys(table.curves)]]
    return {trial: _measured(row) for trial, row in _by_trial(rows).items()}


def _keys(rows: "pd.DataFrame") -> list[tuple[Any, ...]]:
    return list(zip(*(rows[name].tolist() for name in (*_TRIAL, "epoch")), strict=True))


def _by_trial(rows: "pd.DataFrame", of_all: bool = False) -> dict[tuple[int, int, int], Any]:
    """Return the last row of each trial, or all of them."""
    found: dict[tuple[int, int, int], Any] = {}
    for row in rows.to_dict("records"):
        trial = (int(row["point"]), int(row["seed"]), int(row["fold"]))
        if of_all:
            found.setdefault(trial, []).append(row)
        else:
            found[trial] = row
    return found


def _measured(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a row that are metrics of a part in evaluation mode."""
    wanted = tuple(f"{part}/" for part in PARTS)
    names = [name for name in row if str(name).startswith(wanted)]
    assert all(metric_column(name) == name for name in names)
    return {name: float(row[name]) for name in names if isinstance(row[name], int | float) and math.isfinite(row[name])}
