"""The points of a stage's study, as the stages after it need them."""

from collections.abc import Sequence

from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.points import Point
from hpsearch.reports.summary.sweep import summarize
from hpsearch.study.stages.narrow import Scored


def complete_points(table: TrialTable) -> list[Point]:
    """Return the complete points of a study, the best first."""
    summary = summarize(table)
    sign = -1 if summary.objective.maximize else 1
    return sorted(summary.eligible, key=lambda point: (sign * _mean(point), point.point))


def scored(points: Sequence[Point], maximize: bool) -> list[Scored]:
    """Return points as narrowing reads them, larger is better."""
    return [Scored(point.params, _mean(point) if maximize else -_mean(point)) for point in points]


def counts(table: TrialTable) -> dict[str, int]:
    """Return how many points and trials a study has, how many diverged or failed, and the epochs it trained."""
    states = table.trials["state"].astype(str).str.lower().value_counts()
    epochs = table.curves.groupby(["point", "seed", "fold"])["epoch"].max().sum() if len(table.curves) else 0
    points = int(table.trials["point"].nunique())
    return {"points": points, "trials": len(table.trials), **{str(k): int(v) for k, v in states.items()}} | {
        "epochs": int(epochs)
    }


def curve(table: TrialTable, point: int, metric: str) -> list[float]:
    """Return a metric of a point's first trial by epoch, from epoch 1."""
    rows = table.curves[(table.curves["point"] == point) & (table.curves["epoch"] > 0)]
    first = rows[(rows["seed"] == rows["seed"].min()) & (rows["fold"] == rows["fold"].min())]
    return [float(value) for value in first.sort_values("epoch")[metric].tolist()]


def _mean(point: Point) -> float:
    assert point.mean is not None
    return point.mean
