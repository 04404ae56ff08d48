"""What the layers of each arm did: medians over its trials, and the faults that they show."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpsearch.base import words
from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit.cells import NONE, Cell, Cells
from hpsearch.reports.kit.layer_rules import faults
from hpsearch.reports.kit.layers import LayerCourse, layer_courses, watched_trials

LAYERS_AID = (
    "Medians over the trials of an arm, diverged ones among them. First over last: the relative gradient |g||w| of the "
    "layer nearest the inputs over that of the one nearest the loss, at the first step and at the last look; far below "
    "1 little of the loss reaches the first layer. Update over weight: the smallest and the largest of the layers at "
    "the last look, .001 as a rule. Dead units and saturated outputs: of the layer with most, at the last look."
)


@dataclass(frozen=True, slots=True)
class ArmLayers:
    """The layers of one arm.

    Attributes:
        arm: its name.
        courses: by quantity, see `hpsearch.reports.kit.layers.layer_courses`.
        trials: how many of its trials were watched.
        faults: how many of them show each fault.
    """

    arm: str
    courses: Mapping[str, LayerCourse]
    trials: int
    faults: Mapping[str, int]

    def over(self, place: int) -> float | None:
        """Return the relative gradient of the first layer over the last one's at a look, None where it is not known."""
        course = self.courses.get("gradient")
        if course is None:
            return None
        first, last = (float(course.values[layer, place]) for layer in (0, -1))
        return first / last if np.isfinite(first) and last > 0 else None

    def at_end(self, quantity: str) -> tuple[float, float] | None:
        """Return the smallest and the largest of the layers at the last look where any is known, else None."""
        course = self.courses.get(quantity)
        known = np.isfinite(course.values).any(axis=0) if course is not None else np.zeros(0, dtype=bool)
        if course is None or not known.any():
            return None
        values = course.values[:, np.flatnonzero(known)[-1]]
        return float(np.nanmin(values)), float(np.nanmax(values))


def arm_layers(table: TrialTable, arm: Arm) -> ArmLayers | None:
    """Return the layers of an arm; None where none of its trials was watched.

    Args:
        table: the study of the arms.
        arm: one of them.
    """
    trials = table.trials[table.trials["point"] == arm.point][["point", "seed", "fold"]].astype(int)
    watched = watched_trials(table, sorted(trials.itertuples(index=False, name=None)))
    courses = layer_courses([each.rows for each in watched])
    if not courses:
        return None
    shown = [label for each in watched for label in faults(each.rows, each.unit)]
    return ArmLayers(arm.name, courses, len(watched), {label: shown.count(label) for label in dict.fromkeys(shown)})


def layers_of(found: Ablation) -> list[ArmLayers]:
    """Return the layers of the arms that were watched, in their order."""
    return [each for arm in found.arms if (each := arm_layers(found.table, arm)) is not None]


def layer_rows(found: Ablation) -> Cells:
    """Return one row per arm that was watched: gradients, updates, activations, dead and saturated units, faults."""
    known = layers_of(found)
    shares = [key for key in ("dead", "saturated") if any(each.at_end(key) for each in known)]
    sds = any(each.at_end("activation") for each in known)
    names = ("arm", "trials", "first over last, first step", "at the end", "update over weight")
    names += (*(("sd of activations",) if sds else ()), *("dead units" if k == "dead" else "saturated" for k in shares))
    return (*names, "shows"), [
        (
            Cell(each.arm),
            Cell(str(each.trials), each.trials),
            *(_plain(each.over(place)) for place in (0, -1)),
            _range(each.at_end("update")),
            *([_range(each.at_end("activation"))] if sds else []),
            *(_share(each.at_end(key)) for key in shares),
            Cell("; ".join(f"{label} in {k} of {each.trials}" for label, k in each.faults.items()) or "nothing"),
        )
        for each in known
    ]


def _plain(value: float | None) -> Cell:
    return NONE if value is None else Cell(f"{value:.2g}", value)


def _range(ends: tuple[float, float] | None) -> Cell:
    if ends is None:
        return NONE
    return Cell(" to ".join(dict.fromkeys(f"{words.number(float(f'{end:.2g}'))}" for end in ends)), ends[1])


def _share(ends: tuple[float, float] | None) -> Cell:
    return NONE if ends is None else Cell(f"{100 * ends[1]:.0f} %", ends[1])
