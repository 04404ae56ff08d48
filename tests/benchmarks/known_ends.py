"""Studies with fresh seeds, splits of each seed's own, evaluations at the ends of trials, and groups of samples."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hpsearch.base.types import TrialTable
from tests.benchmarks.known_ablations import UNIT, UNITS, arms
from tests.benchmarks.known_searches import peak, sweep
from tests.benchmarks.known_truth import Design, Drawn

Draw = Callable[[np.random.Generator], Drawn]
MOST, FRESH = 5, 3
"""Points that are trained over fresh seeds, and how many of these."""


def confirmed(draw: Draw, *, lost: float = 0.0) -> Draw:
    """A search over the first seed of a study, its best points trained over the others.

    Args:
        draw: draws a study of four seeds.
        lost: share of trials over fresh seeds that diverge.
    """

    def drawn(rng):
        found = draw(rng)
        (table,) = found.tables
        return replace(found, tables=(_over_fresh(table, rng, found.truths[0].maximize, lost),))

    return drawn


def _over_fresh(table, rng, maximize, lost):
    trials = table.trials.assign(purpose="")
    first = trials["seed"] == 0
    best = trials[first & trials["score"].notna()].sort_values("score", ascending=not maximize)["point"].head(MOST)
    trials.loc[~first, "purpose"] = "confirm"
    kept = trials[first | trials["point"].isin(best)].copy()
    gone = (kept["purpose"] == "confirm") & (rng.random(len(kept)) < lost)
    kept.loc[gone, ["state", "reason", "score"]] = ["INFEASIBLE", "diverged at step 17: loss 812.3", np.nan]
    points = {"points": best.astype(int).tolist(), "seeds": list(range(1, 1 + FRESH)), "why": ""}
    curves = table.curves[(table.curves["seed"] == 0) | table.curves["point"].isin(best)]
    study = _asked({**table.study, "confirm": points}, confirm=FRESH)
    return replace(table, study=study, trials=kept, curves=curves)


def _asked(study: Mapping[str, Any], **asked: int) -> dict[str, Any]:
    config = {**study["config"], "study": {**study["config"]["study"], "seeds": 1, **asked}}
    return {**study, "config": config}


def unconfirmed(draw: Draw) -> Draw:
    """A search over one seed whose best points were not trained over fresh ones."""

    def drawn(rng):
        found = draw(rng)
        (table,) = found.tables
        return replace(found, tables=(replace(table, study=_asked(table.study, confirm=FRESH)),))

    return drawn


def ended(draw: Draw, drift: Mapping[int, float] | float = 0.0, jitter: float = 0.003) -> Draw:
    """A study whose scores are means of three evaluations at the ends of trials.

    Args:
        draw: draws it; its scores stay what they are.
        drift: by how much the last evaluation is more than the score, by point or of all.
        jitter: standard deviation of an evaluation.
    """

    def drawn(rng):
        found = draw(rng)
        tables = tuple(_with_ends(table, rng, drift, jitter) for table in found.tables)
        last = [mean + _of(drift, point) for point, mean in enumerate(found.truths[0].here)]
        truth = replace(found.truths[0], facts={**found.truths[0].facts, "last": tuple(last)})
        return replace(found, tables=tables, truths=(truth, *found.truths[1:]))

    return drawn


def _of(drift, point):
    return drift if isinstance(drift, float) else drift.get(point, 0.0)


def _with_ends(table: TrialTable, rng, drift, jitter):
    metric = table.study["objective"]["metric"]
    rows = []
    for trial in table.trials[table.trials["state"] == "COMPLETE"].to_dict("records"):
        noise = jitter * rng.normal(size=3)
        change = _of(drift, trial["point"])
        values = trial["score"] + noise - noise.mean() + change * np.asarray([-1.0, 0.0, 1.0])
        place = {name: trial[name] for name in ("point", "seed", "fold")}
        rows += [{**place, "step": step, metric: value} for step, value in zip((68, 70, 72), values, strict=True)]
    study = {**table.study, "objective": {**table.study["objective"], "reduce": "end"}}
    return replace(table, study=study, ends=pd.DataFrame(rows))


FOUR, SPLITS = Design(4), Design(5, splits=True)
PATIENTS = {"data": {"groups": "patient"}}
LOSS = Design(4, metric="valid/loss", maximize=False, sd=0.01)
ENDS = {
    "fresh seeds, equal points": confirmed(sweep(design=FOUR)),
    "fresh seeds, far points": confirmed(sweep(peak(0.1, 0.1), design=FOUR)),
    "fresh seeds, samples kept": confirmed(sweep(design=replace(FOUR, keep=True))),
    "fresh seeds of a loss": confirmed(sweep(0.3, design=LOSS)),
    "fresh seeds, one in six diverges": confirmed(sweep(design=FOUR), lost=1 / 6),
    "fresh seeds that all diverge": confirmed(sweep(design=FOUR), lost=1.0),
    "not confirmed": unconfirmed(sweep(design=Design(1))),
    "splits of each seed's own": sweep(design=SPLITS),
    "splits of each seed's own, far points": sweep(peak(0.1, 0.1), design=SPLITS),
    "splits of each seed's own, one point": sweep(rates=(0.1,), design=SPLITS),
    "groups, samples kept": sweep(design=Design(5, keep=True, groups=60, config=PATIENTS)),
    "one point of groups, samples kept": sweep(rates=(0.1,), design=Design(5, keep=True, groups=60, config=PATIENTS)),
    "evaluations at the end": ended(sweep()),
    "evaluations that drift alike": ended(sweep(peak(0.1, 0.05)), 0.01),
    "arms evaluated at the end": ended(arms({UNIT: UNITS})),
    "an arm that drifts beyond the others": ended(
        arms({UNIT: UNITS}, lambda unit: 0.9 - 0.05 * (unit == "tanh"), design=Design(10)), {1: 0.1}
    ),
    "an arm whose drift changes nothing": ended(arms({UNIT: UNITS}, lambda u: 0.9 - 0.1 * (u == "tanh")), {1: 0.01}),
}
"""Studies by name."""
