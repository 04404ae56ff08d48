"""Sixth gate: a small sample can be learnt by heart; where it cannot, the cause."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hpsearch.base.errors import check_choice, check_float, check_int
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import FigureWithAid, axis_style, draw
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import RATE, Fault, check_factors, finding, finite

TOO_SMALL = "model too small"


@dataclass(frozen=True, slots=True)
class OverfitSmall:
    """Trains on a small sample until all of it is right (a regression: until almost nothing is left of the loss).

    A rate that does not get there although others far from it do is a failure, but only a warning where the rate is
    searched.

    Causes: learning rate too low, learning rate too high, vanishing gradients, exploding gradients, bad
    initialization, model too small, contradicting labels, optimization failure. Where it fails at every rate, models
    that the model contains learn the same sample: one that does better shows that the optimization fails, none that
    does leaves the model or its data.

    Args:
        samples: in the sample, as evenly over the classes as there are.
        steps: updates at each rate.
        factors: on the configured learning rate, tried when it does not get there.
        near: a rate that gets there, so many times larger or smaller than the configured one, is near enough.
        goal: share of the loss of the targets' mean below which a regression is learnt.
        vanishing: the first weight's gradient over the last one's, below which gradients vanish.
        flat: share of the loss of knowing nothing above which the loss counts as not fallen.
        contained: whether to train models that the model contains where it fails.
        lower: share of the loss of knowing nothing by which such a model's loss counts as lower.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Overfit a small sample"
    question: ClassVar[str] = "Can a small sample be learnt by heart?"

    samples: int = 32
    steps: int = 500
    factors: Sequence[float] = (0.001, 0.01, 0.1, 0.3, 3.0, 10.0, 100.0, 1000.0)
    near: float = 10.0
    goal: float = 0.01
    vanishing: float = 1e-3
    flat: float = 0.9
    contained: bool = True
    lower: float = 0.05
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.overfit_small.samples", self.samples, 2)
        check_int("stages.overfit_small.steps", self.steps, 1)
        check_factors("stages.overfit_small.factors", self.factors)
        check_float("stages.overfit_small.near", self.near, "[1, inf)")
        check_float("stages.overfit_small.goal", self.goal, "(0, 1)")
        check_float("stages.overfit_small.vanishing", self.vanishing, "(0, 1)")
        check_float("stages.overfit_small.flat", self.flat, "(0, 1]")
        check_choice("stages.overfit_small.contained", self.contained, (True, False))
        check_float("stages.overfit_small.lower", self.lower, "(0, 1)")

    def run(self, context: Context) -> Finding:
        """Learn a small sample by heart."""
        options = {name: getattr(self, name) for name in ("samples", "steps", "factors", "goal")}
        found = context.measure("overfit_small", context.config(), **options)
        runs: Sequence[Mapping[str, Any]] = found["runs"]
        first, last = runs[0], runs[-1]
        numbers = {
            "samples": found["samples"],
            "steps": len(last["losses"]),
            "rate": last["rate"],
            "loss": last["final"],
            **({} if math.isnan(last["accuracy"]) else {"accuracy": last["accuracy"]}),
            "gradient_ratio": _ratio(found["gradients"]),
            "passes": found["passes"],
        }
        series = {
            "losses": {f"{run['rate']:.3g}": [finite(loss) for loss in run["losses"]] for run in runs},
            "gradients": dict(found["gradients"]),
        }
        off = max(last["rate"] / first["rate"], first["rate"] / last["rate"])
        if last["fitted"] and off <= 1.001 * self.near:
            steps = len(last["losses"])
            return finding([], f"{_learnt(found, last)} after {steps} steps at {last['rate']:.3g}", numbers, series)
        if last["fitted"]:
            fault = _rate(context, found)
        else:
            fault = self._cause(found)
            if self.contained:
                inside = context.measure("contained", context.config(), **options)
                numbers["passes"] += inside["passes"]
                numbers |= {f"loss of {form['words']}": form["loss"] for form in inside["forms"]}
                fault = compared(fault, found, inside, self.lower)
        return finding([fault], "", numbers, series)

    @staticmethod
    def figure(finding: Finding, _metric: str) -> FigureWithAid | None:
        """Draw the loss on the sample by step, at each rate that was tried."""
        series = finding.series
        if not series.get("losses"):
            return None
        traces = [
            {
                **{"type": "scatter", "mode": "lines", "name": f"rate {rate}", "y": losses},
                **{"x": list(range(1, len(losses) + 1)), "line": {"color": theme.BLUE if place == 0 else theme.MUTED}},
            }
            for place, (rate, losses) in enumerate(series["losses"].items())
        ]
        layout = {"xaxis": axis_style("step"), "yaxis": axis_style("training loss"), "height": 280}
        aid = "Loss on the small sample, by step, for each learning rate that was tried."
        return aid, draw(traces, layout, f"Training loss on a small sample for {len(traces)} learning rates.")

    def _cause(self, found: Mapping[str, Any]) -> Fault:
        gradients: Mapping[str, float] = found["gradients"]
        finite = [run for run in found["runs"] if not run["diverged"]]
        ratio, names = _ratio(gradients), list(gradients)
        if not finite:
            sentence = f"training {found['samples']} samples diverges at every rate from {_span(found)}"
            return Fault("bad initialization", sentence, "choose smaller weights: init=he_normal; look at data.scaling")
        best, tried = min(finite, key=lambda run: run["final"]), _learnt_best(found)
        if ratio < self.vanishing:
            sentence = f"{tried}; the gradient of {names[0]} is {ratio:.1g} times that of {names[-1]}"
            action = "choose model.activation=relu with init=he_normal, a normalization, or fewer layers"
            return Fault("vanishing gradients", sentence, action)
        if ratio > 1 / self.vanishing:
            sentence = f"{tried}; the gradient of {names[0]} is {ratio:.1g} times that of {names[-1]}"
            return Fault("exploding gradients", sentence, "choose smaller weights, or set trainer.clip_norm=1")
        if 0 < self.flat * found["guess"] < best["final"]:
            return Fault("bad initialization", f"{tried}: the loss stays flat", "try init=he_normal or another model")
        return Fault(TOO_SMALL, tried, "widen or deepen the model")


def compared(fault: Fault, found: Mapping[str, Any], inside: Mapping[str, Any], lower: float) -> Fault:
    """Return the cause of a sample that is not learnt, by what the models learn that the model contains.

    Args:
        fault: the cause by the losses and gradients of the model itself.
        found: what `hpsearch.trial.measure.short_runs.overfit_small` found.
        inside: what `hpsearch.trial.measure.contained.contained` found.
        lower: share of the loss of a guess by which another loss counts as lower.
    """
    own = min((run["final"] for run in found["runs"] if not run["diverged"]), default=math.inf)
    better = [form for form in inside["forms"] if form["fitted"] or form["loss"] < own - lower * found["guess"]]
    if better:
        best = min(better, key=lambda form: form["loss"])
        why = (
            f"{best['words']}, which the model contains, reaches {best['loss']:.3g}: it is the optimization that fails"
        )
        if fault.cause != TOO_SMALL:
            return _also(fault, why)
        action = "choose init=he_normal, model.activation=relu, a normalization or shortcuts, or fewer layers"
        return Fault("optimization failure", f"{fault.sentence}; {why}", action)
    if count := inside["contradicting"]:
        why = f"{count} of the sample have the inputs of another one and another label: no model learns both"
        return Fault("contradicting labels", f"{fault.sentence}; {why}", "look at their labels, inputs and features")
    if inside["convex"] and math.isfinite(own):
        why = "it is linear, and its training has no minimum but the lowest: the model is what falls short"
        action = "choose a model with hidden layers, or other features; look at data.scaling"
        return Fault(TOO_SMALL, f"{_learnt_best(found)}; {why}", action)
    if not inside["forms"]:
        return _also(fault, "no shallower model is known that it contains, to compare it with")
    others = " and ".join(f"{form['words']} ({form['loss']:.3g})" for form in inside["forms"])
    return _also(fault, f"{others}, which it contains, reach no lower loss: nothing says that the optimization fails")


def _also(fault: Fault, why: str) -> Fault:
    return replace(fault, sentence=f"{fault.sentence}; {why}")


def _learnt_best(found: Mapping[str, Any]) -> str:
    best = min((run for run in found["runs"] if not run["diverged"]), key=lambda run: run["final"])
    return f"{_learnt(found, best)}, the best of {len(found['runs'])} rates from {_span(found)}"


def _rate(context: Context, found: Mapping[str, Any]) -> Fault:
    first, last = found["runs"][0], found["runs"][-1]
    low = first["rate"] < last["rate"]
    verdict = Verdict.WARN if RATE in context.space else Verdict.FAIL
    sentence = f"{_learnt(found, first)} at {first['rate']:.3g}; at {last['rate']:.3g} it is learnt"
    action = f"set {RATE} near {last['rate']:.2g}" + (", or let lr_find choose it" if verdict is Verdict.WARN else "")
    return Fault(f"learning rate too {'low' if low else 'high'}", sentence, action, verdict)


def _learnt(found: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    if run["diverged"]:
        return f"training {found['samples']} samples diverges"
    accuracy = "" if math.isnan(run["accuracy"]) else f"{run['accuracy']:.0%} right, "
    guess = f" against {found['guess']:.3g} of a guess" if found["guess"] else ""  # a perceptron's is 0
    return f"of {found['samples']} samples {accuracy}loss {run['final']:.3g}{guess}"


def _span(found: Mapping[str, Any]) -> str:
    rates = [run["rate"] for run in found["runs"]]
    return f"{min(rates):.2g} to {max(rates):.2g}"


def _ratio(gradients: Mapping[str, float]) -> float:
    values = list(gradients.values())
    return values[0] / values[-1] if values and values[-1] else math.nan
