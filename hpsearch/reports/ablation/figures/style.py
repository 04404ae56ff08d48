"""What the figures of an ablation share: how an arm looks and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base.labels import labels
from hpsearch.base.words import interval, minus, score, settings
from hpsearch.reports.ablation.arms import Arm, Factor, level
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Trace, escape
from hpsearch.reports.kit.texts import signed_interval
from hpsearch.statistics.intervals import Estimate

NAME = 44
_BETWEEN = " · "
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "x", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def arm_styles(found: Ablation) -> Mapping[str, tuple[str, str]]:
    """Return colour and dash of each arm: those of its levels of the first factor and of the others."""
    factors = found.varied
    if not factors:
        return {arm.name: (theme.BLUE, "solid") for arm in found.arms}
    first, rest = factors[0], factors[1:]
    others = list(dict.fromkeys(tuple(arm.levels[factor.key] for factor in rest) for arm in found.arms))
    return {
        arm.name: (
            _level_colour(first, arm.levels[first.key]),
            _DASHES[others.index(tuple(arm.levels[factor.key] for factor in rest)) % len(_DASHES)],
        )
        for arm in found.arms
    }


@dataclass(frozen=True, slots=True)
class ArmLook:
    """How a line of an arm looks.

    Attributes:
        colour: of the line.
        symbol: the mark that tells it without colours.
        label: its levels of the factors that are varied, `label_title` says of which.
    """

    colour: str
    symbol: str
    label: str


def arm_looks(found: Ablation) -> Mapping[str, ArmLook]:
    """Return how the lines of each arm look where the dash is taken: the colour is its first factor's level's.

    The mark is its own of up to eight arms; of more, of several factors, that of its levels of the others.
    """
    factors = found.varied or found.factors
    others = list(dict.fromkeys(_levels(arm, factors[1:]) for arm in found.arms))
    alone = len(factors) < 2 or len(found.arms) <= len(_SYMBOLS)
    looks = {}
    names = labels([_BETWEEN.join(level(arm.levels[factor.key]) for factor in factors) for arm in found.arms], NAME)
    for place, (arm, name) in enumerate(zip(found.arms, names, strict=True)):
        colour = _level_colour(factors[0], arm.levels[factors[0].key]) if factors else theme.BLUE
        mark = place + place // len(theme.CATEGORIES) if alone else others.index(_levels(arm, factors[1:]))
        looks[arm.name] = ArmLook(colour, _SYMBOLS[mark % len(_SYMBOLS)], name)
    return looks


def _levels(arm: Arm, factors: Sequence[Factor]) -> tuple[Any, ...]:
    return tuple(arm.levels[factor.key] for factor in factors)


def dash_key(solid: str, dashed: str) -> list[Trace]:
    """Return two traces without data that say in the legend which line is solid and which is dashed."""
    empty: Trace = {"type": "scatter", "x": [None], "y": [None], "mode": "lines", "hoverinfo": "skip"}
    kinds = ((solid, "solid"), (dashed, "dash"))
    return [{**empty, "name": name, "line": {"color": theme.MUTED, "width": 2.2, "dash": dash}} for name, dash in kinds]


def label_title(found: Ablation) -> str:
    """Return what the labels of `arm_looks` are levels of."""
    return _BETWEEN.join(factor.name for factor in found.varied or found.factors)


def arm_hover(arm: Arm, found: Ablation) -> str:
    """Return the hover text of an arm: mean, interval and its method, difference from the reference."""
    lines = [f"<b>{escape(arm.name)}</b>", f"{score(arm.score.mean, arm.score.sd)}, n = {arm.score.n}"]
    shown = arm.score.shown
    if shown is not None:
        ends = interval(shown.low, shown.high, arm.score.mean, arm.score.sd or 0.0)
        lines.append(f"95 % interval {ends}<br>{escape(shown.method)}")
    lines += [escape(settings(arm.nuisance))] if arm.nuisance else []
    told = {"diverged": arm.diverged, "at chance": arm.dead}
    lines += [f"{k} of {arm.trials} {how}" for how, k in told.items() if k]
    own = next((each for each in found.differences if each.arm == arm.name and each.difference.n), None)
    if arm is found.reference:
        lines.append("the reference")
    elif own is not None:
        lines.append(f"{difference_text(own.difference)}: {own.verdict}")
    return "<br>".join(lines)


def difference_text(difference: Estimate) -> str:
    """Write a difference with its sign and, where there is one, its interval."""
    if difference.shown is None:
        return minus(f"{difference.mean:+.3g}")
    mean, low, high = signed_interval(difference.mean, difference.shown)
    return f"{mean}, 95 % interval {low} to {high}"


def _level_colour(factor: Factor, value: Any) -> str:
    index = factor.values.index(value)
    if factor.axis.numeric and len(factor.values) > 1:
        return theme.value_colour(index / (len(factor.values) - 1))
    return theme.CATEGORIES[index % len(theme.CATEGORIES)]
