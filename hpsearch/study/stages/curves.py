"""Curves: what the trials of the fine search show, and what to change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import check_choice
from hpsearch.base.types import TrialId, TrialState, TrialTable
from hpsearch.base.words import settings, told_apart
from hpsearch.reports.diagnosis.history import histories, history
from hpsearch.reports.diagnosis.rules import Diagnosis, Label, diagnose
from hpsearch.reports.diagnosis.study import SearchEvidence, study_diagnoses
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import FigureWithAid, axis_style, draw, escape, log_axis
from hpsearch.reports.kit.lines import Spot, lost_trace, parted
from hpsearch.reports.kit.points import best_first
from hpsearch.reports.summary.numbers import Summary
from hpsearch.study.stages.base import Context, Finding, Verdict, need
from hpsearch.study.stages.common import complete_points

HIGH = (Label.UNDERFITTING, Label.PLATEAU)
"""What a shallower twin tells the reason of."""
ENDED = (TrialState.COMPLETE, TrialState.INFEASIBLE)


@dataclass(frozen=True, slots=True)
class Curves:
    """Reads the curves of the fine search: a fault of the best trial is a warning, its label the cause.

    Args:
        twin: train a network about half as deep like the best one where that underfits, to tell a model that is too
            small from one that the optimization does not bring down.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Read the curves"
    question: ClassVar[str] = "What do the curves of the fine search show?"
    needs: ClassVar[Mapping[str, str]] = {"fine_trials": "fine", "fine_faults": "fine"}

    twin: bool = False
    on_fail: str = "continue"

    def __post_init__(self) -> None:
        check_choice("stages.curves.twin", self.twin, (True, False))

    def run(self, context: Context) -> Finding:
        """Diagnose every trial, and say what is wrong with the best."""
        trials: Sequence[Mapping[str, Any]] = need(context, "fine_trials", self.needs["fine_trials"])
        search: Sequence[Sequence[str]] = need(context, "fine_faults", self.needs["fine_faults"])
        runs = [history(each["history"]) for each in trials]
        found = [diagnose(run) for run in runs]
        if trials and self.twin and any(each.label in HIGH for each in found[0]):
            fields = {**trials[0]["history"], "twin": _twin(context, trials[0])}
            found[0] = diagnose(history(fields))
        counted = Counter(each.label for one in found for each in one)
        numbers = {"trials": len(trials)} | {str(label): counted[label] for label in Label if counted[label]}
        faults = [*((str(each.label), each.evidence, each.advice) for each in _of_best(found)), *search]
        series = {
            "params": [dict(each["params"]) for each in trials],
            "train": [each["history"]["train"] for each in trials],
            "valid": [each["history"]["valid"] for each in trials],
            "labels": [[str(each.label) for each in one] for one in found],
        }
        if any(run.numbers for run in runs):
            series["epochs"] = [[run.epoch(place) for place in range(run.epochs)] for run in runs]
        if not faults:
            sentence = f"the best of {len(trials)} trials shows no fault{_others(counted)}{_averaged(trials)}"
            return Finding(Verdict.PASS, sentence, numbers, series=series)
        (cause, evidence, advice), *more = faults
        also = f"; also {', '.join(label for label, _, _ in more)}" if more else ""
        best, *_ = told_apart([dict(each["params"]) for each in trials])
        sentence = f"{settings(best)}: {evidence}{also}{_others(counted)}{_averaged(trials)}"
        return Finding(Verdict.WARN, sentence, numbers, cause, advice, series=series)

    @staticmethod
    def figure(finding: Finding, _metric: str) -> FigureWithAid | None:
        """Draw the losses of all trials by epoch, those of the best in front."""
        series = finding.series
        if not series.get("train"):
            return None
        traces: list[dict[str, Any]] = []
        spots: list[Spot] = []
        params = told_apart(series["params"])
        for place, (train, valid, labels) in enumerate(
            zip(series["train"], series["valid"], series["labels"], strict=True)
        ):
            colour = theme.BLUE if place == 0 else theme.MUTED
            called = settings(params[place])
            said = f"{escape(called)}<br>{escape(', '.join(labels) or 'no fault')}"
            for name, losses, dash in (("training", train, "dot"), ("validation", valid, "solid")):
                line = {"color": colour, "width": 2.5 if place == 0 else 1, "dash": dash}
                shown = {"name": name, "showlegend": place == 0, "opacity": 1 if place == 0 else 0.5, "line": line}
                epochs = series["epochs"][place] if "epochs" in series else list(range(1, len(losses) + 1))
                data, lost = parted(epochs, losses, f"{name}, {escape(called)}")
                spots += lost
                traces.append({
                    "type": "scatter",
                    "mode": "lines",
                    **shown,
                    **data,
                    "hovertext": said,
                    "hoverinfo": "text+y",
                })
        losses = [loss for curves in (*series["train"], *series["valid"]) for loss in curves]
        layout = {"xaxis": axis_style("epoch"), "yaxis": log_axis("loss", losses), "height": 340}
        aid = "Blue: the best trial; dotted: training, solid: validation. Hover over a line for what was found."
        aid += " A line ends where nothing was measured, and a cross stands there." if spots else ""
        traces += lost_trace(spots)
        return aid, draw(traces, layout, f"Loss by epoch of {len(series['train'])} trials.")


def handed(table: TrialTable, summary: Summary) -> dict[str, Any]:
    """Return what this stage reads of a search: ``fine_trials``, the best point's first, and ``fine_faults``.

    Trials that the search ended early are left out: their curves show where they were cut.

    Args:
        table: the search.
        summary: its result.

    Returns:
        Of each trial its point, seed, parameters, how its weights are averaged and the fields of `history`; of the
        search itself its faults, each as label, evidence and advice.
    """
    params = {point.point: dict(point.params) for point in summary.points}
    order = {p.point: place for place, p in enumerate(best_first(summary.points, summary.objective))}
    known, of = histories(table), _weights(table)
    ended = table.trials[table.trials["state"].isin(ENDED)]
    to_the_end = set(zip(ended["point"], ended["seed"], ended["fold"], strict=True))
    trials = [
        {
            "point": point,
            "seed": seed,
            "params": params[point],
            "weights": of.get((point, seed, fold), ""),
            "history": {**known[point, seed, fold], "layers": list(table.layers.get(TrialId(point, seed, fold), ()))},
        }
        for point, seed, fold in sorted(known.keys() & to_the_end, key=lambda place: (order[place[0]], place))
    ]
    faults = [[str(label), *said] for label, said in study_diagnoses(_evidence(table, summary)).items()]
    return {"fine_trials": trials, "fine_faults": faults}


def _weights(table: TrialTable) -> dict[tuple[int, int, int], str]:
    """Return how the weights of each trial are averaged, of those whose are, by point, seed and fold."""
    if "weights" not in table.trials:
        return {}
    return dict(table.trials.set_index(["point", "seed", "fold"])["weights"].dropna())


def _evidence(table: TrialTable, summary: Summary) -> SearchEvidence:
    near = summary.near
    return SearchEvidence(
        means=[point.mean for point in complete_points(table) if point.mean is not None],
        at_edge=summary.at_edge,
        few_near=(len(near.points), near.of) if near is not None and near.few else None,
        optimism=summary.optimism,
    )


def _twin(context: Context, best: Mapping[str, Any]) -> list[float] | None:
    from hpsearch.trial.measure.contained import shallower  # loads torch

    params, epochs = dict(best["params"]), history(best["history"]).last
    change = shallower(context.config(params)["model"])
    if not change:
        context.line("curves: this model has no depth to halve: no twin is trained")
        return None
    config = context.config({**params, **change, "trainer.epochs": epochs}, best["seed"])
    losses: list[float] = context.measure("training_losses", config)
    return losses


def _of_best(found: Sequence[tuple[Diagnosis, ...]]) -> tuple[Diagnosis, ...]:
    return found[0] if found else ()


def _averaged(trials: Sequence[Mapping[str, Any]]) -> str:
    """Say of the best trial that its validation loss is of averaged weights."""
    how = trials[0].get("weights") if trials else None
    return f"; its validation loss is of {how.replace(' ', ' weights ', 1)}" if how else ""


def _others(counted: Mapping[Label, int]) -> str:
    seen = [f"{label} {counted[label]}" for label in Label if counted.get(label)]
    return f"; over all trials: {', '.join(seen)}" if seen else ""
