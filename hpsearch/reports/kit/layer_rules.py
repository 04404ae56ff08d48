"""What is wrong with the layers of one training run, read off its ``layers.json``: gradients and units.

A rule takes the rows of `hpsearch.trial.layers.LayerWatch` and returns its evidence, empty when it does not hold.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Rows: TypeAlias = Sequence[Mapping[str, Any]]
VANISHES = 1e-3
"""Relative gradient |g||w| of a layer over that of the last one: five sigmoid layers, each with a derivative of at
most 1/4, leave (1/4)^5 = 1e-3."""
EXPLODES = 1e3
"""|g||w| of a layer, by which the loss would change if its weights changed as much as they are large, in units of a
loss of ordinary size, and the same over that of the last layer: about 1 to 10 in networks that train (calibrated)."""
DEAD_SHARE = 0.4
"""Share of a layer's units that give the same output for all samples; a network that trains has up to .2 of them at
its initialization (calibrated)."""
SATURATED_SHARE = 0.8
"""Share of a layer's outputs that are close to a bound of their activation; the last hidden layer of a network that
fits its samples has up to .54, one of sigmoids that stays at chance 1 (calibrated on six networks of digits)."""


def vanishing(rows: Rows) -> str:
    """Vanishing gradients: a layer's relative gradient |g||w| is under a thousandth of the last layer's.

    In most of the measured steps, so that a start that the run recovers from does not count. The last layer is the
    one nearest the loss.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    low = _ladder(rows, lambda each, last: last > 0 and each < VANISHES * last)
    return f"the gradient vanishes in {low[0]}: {low[1]:.1g} of the last layer's" if low else ""


def exploding(rows: Rows, unit: float = 1.0) -> str:
    """Exploding gradients: a layer's |g||w| is over a thousand losses of ordinary size, or times the last layer's.

    In most of the measured steps; a run that diverged in its first epoch has one.

    Args:
        rows: of the trial.
        unit: a loss of ordinary size.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    high = _ladder(rows, lambda each, last: each > EXPLODES * unit or each > EXPLODES * last > 0)
    return f"the gradient explodes in {high[0]}: |g||w| is {high[2]:.2g}" if high else ""


def dead_units(rows: Rows) -> str:
    """Dead units: more than `DEAD_SHARE` of a layer's units give the same output for all samples, at the last look.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    name, share = _largest(rows, "dead")
    return f"{share:.0%} of the units of {name} are dead" if share > DEAD_SHARE else ""


def saturated_units(rows: Rows) -> str:
    """Saturated units: more than `SATURATED_SHARE` of a layer's outputs are close to a bound, at the last look.

    Returns:
        The evidence, empty when the rule does not hold.
    """
    name, share = _largest(rows, "saturated")
    return f"{share:.0%} of the outputs of {name} are saturated" if share > SATURATED_SHARE else ""


def faults(rows: Rows, unit: float = 1.0) -> dict[str, str]:
    """Return what the layers of a trial show, by the name of the label, with its evidence.

    Args:
        rows: of the trial.
        unit: a loss of ordinary size.
    """
    known = {
        "vanishing gradients": vanishing(rows),
        "exploding gradients": exploding(rows, unit),
        "dead units": dead_units(rows),
        "saturated units": saturated_units(rows),
    }
    return {label: evidence for label, evidence in known.items() if evidence}


def faults_text(trials: Sequence[Rows], units: Sequence[float]) -> str:
    """Say which faults the layers of how many trials show, with the evidence of the first of them.

    Args:
        trials: rows of each.
        units: a loss of ordinary size, of each.

    Returns:
        One sentence; that there are none where there are none.
    """
    found = [faults(rows, unit) for rows, unit in zip(trials, units, strict=True)]
    labels = list(dict.fromkeys(label for each in found for label in each))
    if not labels:
        return "No layer shows vanishing or exploding gradients, dead or saturated units."
    told = []
    for label in labels:
        evidence = [each[label] for each in found if label in each]
        often = f" in {len(evidence)} of {len(found)} trials" if len(found) > 1 else ""
        told.append(f"{label}{often} ({evidence[0]})")
    return f"The layers show {'; '.join(told)}."


def relative_gradient(row: Mapping[str, Any], name: str) -> float:
    """Return a layer's |g||w|, infinite where it was not finite."""
    gradient, weight = row["gradient"][name], row["weight"][name]
    return math.inf if gradient is None or weight is None else float(gradient * weight)


def _largest(rows: Rows, key: str) -> tuple[str, float]:
    """Return the layer with the largest share at the last look, and that share; 0 without any."""
    looks = [row["outputs"] for row in rows if row.get("outputs")]
    shares = {name: each[key] for name, each in looks[-1].items() if each.get(key) is not None} if looks else {}
    name = max(shares, key=lambda each: shares[each], default="")
    return name, shares.get(name, 0.0)


def _ladder(rows: Rows, holds: Callable[[float, float], bool]) -> tuple[str, float, float] | None:
    """Return the first layer for which a rule on |g||w| and the last layer's holds in most of the measured steps.

    With it come its typical |g||w| over the last layer's, and its typical |g||w|.
    """
    steps = [{name: relative_gradient(row, name) for name in row["gradient"]} for row in rows if row.get("gradient")]
    names = list(steps[0]) if steps else []
    for name in names:
        pairs = [(step[name], step[names[-1]]) for step in steps]
        if 2 * sum(holds(*pair) for pair in pairs) > len(pairs):
            over = float(np.median([each / last if last > 0 else math.inf for each, last in pairs]))
            return name, over, float(np.median([each for each, _ in pairs]))
    return None
