"""Learning-rate finding: which rates make the loss fall within about a hundred steps, and where training fails."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import ConfigError, check_choice, check_float, check_int
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import FigureWithAid, axis_style, draw, log_axis
from hpsearch.reports.lr_range.numbers import LrRange, lr_range
from hpsearch.reports.lr_range.rules import RULES
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import finite

METHODS = ("probe", "range_test")
DECAY = "optimizer.weight_decay"


@dataclass(frozen=True, slots=True)
class _Curves:
    """Repeats of one setting, and what they say."""

    decay: float | None
    rates: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]
    passes: float
    found: LrRange


@dataclass(frozen=True, slots=True)
class LrFind:
    """Losses against learning rates, from several initializations.

    ``probe`` trains anew at each rate, from the same initialization on the same batches; ``range_test`` lets the rate
    grow within one run. Everything but the rate is as configured, the schedule left out. Hands on ``lr_range``, from a
    tenth of the steepest point to the edge from which on training fails, and ``lr``, what the rule suggests. It refuses
    to suggest when the repeats disagree or the loss does not fall clearly.

    Args:
        method: ``probe`` or ``range_test``.
        rule: which rule suggests a rate; the range is `hpsearch.reports.lr_range.numbers`'s whatever the rule.
        low: lowest rate.
        high: highest rate.
        per_decade: rates per decade of a probe; a range test has one for each of its steps.
        steps: updates of each run.
        initializations: repeats, with initializations and orders of their own.
        weight_decays: compare these; null: as configured.
        max_spread: decades over which the repeats' suggestions may spread.
        min_drop: how many times the noise the loss must fall by.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Find the learning rate"
    question: ClassVar[str] = "Which learning rates make the loss fall, and where does training fail?"
    gives: ClassVar[tuple[str, ...]] = ("lr_range", "lr")

    method: str = "probe"
    rule: str = "local_linear"
    low: float = 1e-5
    high: float = 10.0
    per_decade: int = 4
    steps: int = 100
    initializations: int = 3
    weight_decays: Sequence[float] | None = None
    max_spread: float = 1.0
    min_drop: float = 2.0
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_choice("stages.lr_find.method", self.method, METHODS)
        check_choice("stages.lr_find.rule", self.rule, RULES)
        check_float("stages.lr_find.low", self.low, "(0, inf)")
        check_float("stages.lr_find.high", self.high, "(0, inf)")
        if self.high < 10 * self.low:
            raise ConfigError(f"stages.lr_find.high = {self.high:g}: must be at least ten times low = {self.low:g}")
        check_int("stages.lr_find.per_decade", self.per_decade, 2)
        check_int("stages.lr_find.steps", self.steps, 10)
        check_int("stages.lr_find.initializations", self.initializations, 1)
        check_float("stages.lr_find.max_spread", self.max_spread, "(0, inf)")
        check_float("stages.lr_find.min_drop", self.min_drop, "[0, inf)")
        if self.weight_decays is not None:
            if not isinstance(self.weight_decays, list | tuple) or not self.weight_decays:
                raise ConfigError(f"stages.lr_find.weight_decays = {self.weight_decays!r}: must be a list of numbers")
            for decay in self.weight_decays:
                check_float("stages.lr_find.weight_decays", decay, "[0, inf)")

    @property
    def rates(self) -> tuple[float, ...]:
        """Rates that a probe tries, evenly spaced in their logarithm."""
        decades = math.log10(self.high / self.low)
        count = round(decades * self.per_decade) + 1
        return tuple(self.low * 10 ** (decades * place / (count - 1)) for place in range(count))

    def run(self, context: Context) -> Finding:
        """Measure the curves and read them."""
        decays: Sequence[float | None] = [None] if self.weight_decays is None else list(self.weight_decays)
        each = [self._curves(context, decay) for decay in decays]
        numbers = {**self._numbers(each), "passes": math.fsum(curves.passes for curves in each)}
        series = {"method": self.method, "steps": self.steps, "curves": [_drawn(curves) for curves in each]}
        refusals = [self._refusal(curves) for curves in each]
        sound = [curves for curves, refusal in zip(each, refusals, strict=True) if refusal is None]
        if not sound and refusals[0] is not None:
            cause, why, action = refusals[0]
            return Finding(Verdict.FAIL, f"no learning rate is suggested: {why}", numbers, cause, action, series=series)
        best = min(sound, key=lambda curves: curves.found.fit.losses.min())
        low, high = min(c.found.low for c in sound), max(c.found.high for c in sound)
        handed = {"lr_range": [low, high], "lr": best.found.lr}
        cause, action = self._warning(best)
        verdict = Verdict.WARN if cause else Verdict.PASS
        return Finding(verdict, self._sentence(best, sound), numbers, cause, action, handed, series)

    @staticmethod
    def figure(finding: Finding, _metric: str) -> FigureWithAid | None:
        """Draw the losses against the learning rate, the fits and the range that is handed on."""
        series = finding.series
        if not series.get("curves"):
            return None
        line: dict[str, Any] = {"type": "scatter", "showlegend": False}
        traces: list[dict[str, Any]] = []
        for curves in series["curves"]:
            for losses in curves["losses"]:
                grey = {"marker": {"color": theme.MUTED, "size": 5}, "line": {"color": theme.RULE, "width": 1}}
                run = {"x": curves["rates"][: len(losses)], "y": losses, **grey}
                traces.append({**line, "mode": "lines+markers", "name": "one initialization", **run})
            fit = {"x": curves["fit_rates"], "y": curves["fit"], "line": {"color": theme.BLUE, "width": 2.5}}
            traces.append({**line, "mode": "lines", "name": "fit", **fit})
        shapes = []
        if finding.handed.get("lr_range"):
            low, high = finding.handed["lr_range"]
            band = {"type": "rect", "fillcolor": theme.GREEN_WASH, "line": {"width": 0}}
            shapes.append({**band, "yref": "paper", "y0": 0, "y1": 1, "x0": low, "x1": high})
        layout = {
            "xaxis": log_axis("learning rate", [rate for curves in series["curves"] for rate in curves["rates"]]),
            "yaxis": axis_style("training loss"),
            "shapes": shapes,
            "height": 360,
        }
        aid = "Grey: one initialization each; blue: the fit. The shaded range of rates is handed on."
        return aid, draw(traces, layout, f"Training loss against learning rate, {len(traces)} lines.")

    def _curves(self, context: Context, decay: float | None) -> _Curves:
        changed = {} if decay is None else {DECAY: decay}
        first = context.config(changed)["seed"]
        configs = [context.config(changed, first + repeat) for repeat in range(self.initializations)]
        probes = self.method == "probe"
        name = "fixed_rate_probe" if probes else "range_test"
        options: dict[str, Any] = {"rates": self.rates} if probes else {"low": self.low, "high": self.high}
        runs = [context.measure(name, config, **options, steps=self.steps) for config in configs]
        rates = self.rates if probes else max((tuple(run["rates"]) for run in runs), key=len)
        untrained = [run["untrained"] for run in runs] if probes else None
        missing = math.inf
        losses = tuple((*run["losses"], *[missing] * (len(rates) - len(run["losses"]))) for run in runs)
        passes = math.fsum(run["passes"] for run in runs)
        return _Curves(decay, rates, losses, passes, lr_range(rates, losses, untrained, self.rule))

    def _refusal(self, curves: _Curves) -> tuple[str, str, str] | None:
        """Return cause, reason and action where the evidence is poor."""
        found, lowest, highest = curves.found, curves.rates[0], curves.rates[-1]
        if math.isnan(found.steepest):
            return (
                "fails everywhere",
                f"training fails at {lowest:g} already: it diverges",
                f"look at the inputs' scale and at init, or lower stages.lr_find.low below {lowest:g}",
            )
        if not found.drop >= self.min_drop * found.noise:
            return (
                "the loss does not fall",
                f"in {self.steps} steps the loss falls by {found.drop:.3g} at most, less than {self.min_drop:g} times "
                f"the noise of {found.noise:.3g}, between {lowest:g} and {highest:g}",
                f"look at init and at the data, or raise stages.lr_find.steps above {self.steps}",
            )
        if math.isnan(found.lr) or math.isnan(found.spread):
            return (
                "too few points for the rule",
                f"{self.rule} has too few points left of {len(curves.rates)}",
                "set stages.lr_find.rule=local_linear, or raise stages.lr_find.per_decade",
            )
        if found.spread > self.max_spread:
            return (
                "repeats disagree",
                f"the suggestions of {self.initializations} initializations spread over {found.spread:.2g} decades, "
                f"more than {self.max_spread:g}",
                "raise stages.lr_find.steps or data.batch_size, or take stages.lr_find.rule=local_linear",
            )
        return None

    def _warning(self, curves: _Curves) -> tuple[str, str]:
        found, rates = curves.found, curves.rates
        if found.steepest <= rates[1]:
            return "steepest at the lowest rates", f"lower stages.lr_find.low below {self.low:g}"
        if math.isinf(found.edge):
            return "no rate fails", f"raise stages.lr_find.high above {self.high:g}"
        return "", ""

    def _sentence(self, best: _Curves, sound: Sequence[_Curves]) -> str:
        found = best.found
        fails = "no rate tried fails" if math.isinf(found.edge) else f"training fails from {found.edge:.2g} on"
        decay = "" if best.decay is None else f" with {DECAY}={best.decay:g}, the best of {len(sound)},"
        return (
            f"search learning rates from {found.low:.2g} to {found.high:.2g}: the loss falls fastest at "
            f"{found.steepest:.2g},{decay} by {found.drop:.2g} within {self.steps} steps at best; {fails}"
        )

    def _numbers(self, each: Sequence[_Curves]) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for curves in each:
            suffix = "" if curves.decay is None else f"[{DECAY}={curves.decay:g}]"
            found = curves.found
            names = ("lr", "low", "high", "edge", "steepest", "argmin", "spread", "drop", "noise")
            values: Mapping[str, float] = {name: getattr(found, name) for name in names}
            named = {"spread": "spread_decades", "low": "lr_low", "high": "lr_high"}
            numbers |= {f"{named.get(name, name)}{suffix}": v for name, v in values.items() if math.isfinite(v)}
        return numbers


def _drawn(curves: _Curves) -> dict[str, Any]:
    """Return what a figure shows of repeats, as plain containers; None stands for a loss that diverged."""
    found = curves.found
    return {
        "weight_decay": curves.decay,
        "rates": list(curves.rates),
        "losses": [list(map(finite, repeat)) for repeat in curves.losses],
        "fit_rates": found.fit.rates.tolist(),
        "fit": found.fit.losses.tolist(),
        **{name: finite(getattr(found, name)) for name in ("lr", "low", "high", "steepest", "argmin", "edge")},
        "untrained": finite(found.fit.untrained),
    }
