"""What several stages share: faults, the points of a study, rates to try, the figure of a search."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base.columns import metric_column
from hpsearch.base.errors import ConfigError, check_float
from hpsearch.base.types import TrialTable
from hpsearch.base.words import label, score, settings, told_apart, written
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import FigureWithAid, axis_style, draw, escape, log_axis
from hpsearch.reports.kit.points import Point, rankable, ranked, results_of
from hpsearch.reports.kit.texts import seeds_that_train
from hpsearch.study.stages.base import Finding, Verdict

RATE = "optimizer.lr"
_WORST_FIRST = (Verdict.FAIL, Verdict.WARN)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        cause: its name, from the list of the stage.
        sentence: what was seen, with its numbers.
        action: what to change, in one sentence.
        verdict: how bad it is.
    """

    cause: str
    sentence: str
    action: str
    verdict: Verdict = Verdict.FAIL


def finding(
    faults: Sequence[Fault],
    sound: str,
    numbers: Mapping[str, str | int | float],
    series: Mapping[str, Any] | None = None,
) -> Finding:
    """Return what a gate found: the cause and the action are those of the worst fault, of equal ones the first.

    Args:
        faults: all that is wrong.
        sound: the sentence when nothing is.
        numbers: the evidence; what is infinite or no number is left out.
        series: for the report.

    Returns:
        The finding; its sentence names every fault.
    """
    numbers = {name: value for name, value in numbers.items() if isinstance(value, str) or math.isfinite(value)}
    if not faults:
        return Finding(Verdict.PASS, sound, numbers, series=series or {})
    ranked = sorted(faults, key=lambda fault: _WORST_FIRST.index(fault.verdict))
    sentence = "; ".join(fault.sentence for fault in ranked)
    return Finding(ranked[0].verdict, sentence, numbers, ranked[0].cause, ranked[0].action, series=series or {})


def finite(value: float) -> float | None:
    """Return a number as JSON takes it: None where it is not finite."""
    return value if math.isfinite(value) else None


def shown(names: Sequence[str], most: int = 3) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def complete_points(table: TrialTable) -> list[Point]:
    """Return the complete points of a study of which every seed trains, the best first; all where none trains."""
    results = results_of(table)
    return ranked(rankable(results.points, results.replicates), results.objective)


def some_train(table: TrialTable) -> str:
    """Say of which points some seeds train and others do not, in words that a sentence ends with; empty of none."""
    parted = [point for point in results_of(table).points if point.parted]
    told = [
        f"{settings(p.params)}: {seeds_that_train(p.trained, p.dead, p.diverged, p.scores)}, so that its mean is not "
        "ranked"
        for p in parted[:3]
    ]
    return "".join(f"; {each}" for each in told)


def counts(table: TrialTable) -> dict[str, int]:
    """Return how many points and trials a study has, how many diverged or failed, and the epochs it trained."""
    states = table.trials["state"].astype(str).str.lower().value_counts()
    epochs = table.curves.groupby(["point", "seed", "fold"])["epoch"].max().sum() if len(table.curves) else 0
    points = int(table.trials["point"].nunique())
    return {"points": points, "trials": len(table.trials), **{str(k): int(v) for k, v in states.items()}} | {
        "epochs": round(epochs)
    }


def nothing_trains(table: TrialTable, action: str) -> Finding:
    """Return the finding of a search of which no point trained to the end, and what to do about it."""
    numbers = counts(table)
    sentence = f"none of {numbers['points']} points trained to the end"
    return Finding(Verdict.FAIL, sentence, numbers, "nothing trains", action)


def best_found(best: Point, metric: str) -> str:
    """Return the best point of a search over one seed in words."""
    return f"the best has {metric} {score(best.mean)} at {settings(best.params)}, on one seed"


def scores_of(points: Sequence[Point], space: Mapping[str, str]) -> dict[str, Any]:
    """Return what `scores_figure` draws of the points of a space."""
    return {"params": [dict(p.params) for p in points], "scores": [p.mean for p in points], "space": dict(space)}


def curve(table: TrialTable, point: int, metric: str) -> list[float | None]:
    """Return a metric of a point's first trial by epoch, from epoch 1; None where it was not measured."""
    rows = table.curves[(table.curves["point"] == point) & (table.curves["epoch"] > 0)]
    first = rows[(rows["seed"] == rows["seed"].min()) & (rows["fold"] == rows["fold"].min())]
    return [finite(float(value)) for value in first.sort_values("epoch")[metric_column(metric)].tolist()]


def check_factors(key: str, factors: Sequence[float]) -> None:
    """Refuse factors that are no list of positive numbers.

    Args:
        key: dotted key of the configuration.
        factors: what was given.

    Raises:
        ConfigError: naming the key and the value.
    """
    if isinstance(factors, str) or not isinstance(factors, Sequence) or not factors:
        raise ConfigError(f"{key} = {factors!r}: must be a list of numbers")
    for factor in factors:
        check_float(key, factor, "(0, inf)")


def scores_figure(series: Mapping[str, Any], metric: str) -> FigureWithAid | None:
    """Draw the scores of points against the hyperparameter that is searched on a log scale, else the first number.

    Args:
        series: ``params`` and ``scores`` of the points, the best first, and the ``space`` that was searched.
        metric: what the scores are of.

    Returns:
        How to read the figure, and the figure; None without a point.
    """
    if not series.get("scores"):
        return None
    params, scores = series["params"], series["scores"]
    numeric = [k for k in params[0] if all(_is_number(p.get(k)) for p in params)]
    key = next((k for k in numeric if "log" in str(series["space"].get(k, ""))), numeric[0] if numeric else None)
    x = [p[key] for p in params] if key else list(range(1, len(scores) + 1))
    texts = (written(point).items() for point in told_apart(params))
    hover = ["<br>".join(f"{escape(key)} = {escape(text)}" for key, text in point) for point in texts]
    best = [place == 0 for place in range(len(scores))]
    trace = {
        **{"type": "scatter", "mode": "markers", "x": x, "y": scores, "text": hover, "showlegend": False},
        "marker": {
            "size": [13 if each else 9 for each in best],
            "color": [theme.BLUE if each else theme.MUTED for each in best],
            "line": {"color": theme.PAPER, "width": 1.5},
        },
        "hovertemplate": f"%{{text}}<br>{escape(metric)} %{{y:.6g}}<extra></extra>",
    }
    log = key is not None and "log" in str(series["space"].get(key, ""))
    layout = {
        "xaxis": log_axis(label(key), x) if key is not None and log else axis_style(label(key) if key else "point"),
        "yaxis": axis_style(metric),
        "height": 340,
    }
    return "One mark per point; the blue one is the best.", draw([trace], layout, f"{metric} of {len(scores)} points.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
