"""Whether training should be longer or shorter, by where the best epoch lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpsearch.base.errors import check_float
from hpsearch.study.stages.base import Context, Finding, Verdict, need


@dataclass(frozen=True, slots=True)
class TrainLonger:
    """Reads the curves of the best fine points: a best epoch always at the start or at the end is a finding.

    Args:
        early: best epochs within this first share of training: it is far too long.
        late: best epochs within this last share: it is too short.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Train longer or shorter"
    question: ClassVar[str] = "Where in training does the best epoch lie?"
    needs: ClassVar[Mapping[str, str]] = {"fine_curves": "fine"}

    early: float = 0.1
    late: float = 0.25
    on_fail: str = "continue"

    def __post_init__(self) -> None:
        check_float("stages.train_longer.early", self.early, "[0, 1]")
        check_float("stages.train_longer.late", self.late, "[0, 1]")

    def run(self, context: Context) -> Finding:
        """Look where the best epochs lie."""
        curves = need(context, "fine_curves", self.needs["fine_curves"])
        measured = [np.array(curve, dtype=np.float64) for curve in curves]
        pick = np.nanargmax if context.objective.maximize else np.nanargmin
        places = [(int(pick(curve)) + 1) / len(curve) for curve in measured if np.isfinite(curve).sum() > 1]
        if not places:
            return Finding(Verdict.PASS, "trials of one epoch say nothing of how long to train")
        median = float(np.median(places))
        numbers = {"best_epoch_share": median, "trials": len(places)}
        where = f"the best epoch lies at {median:.0%} of training (median of {len(places)} trials)"
        if all(place <= self.early for place in places):
            return Finding(Verdict.WARN, where, numbers, "too long", "train fewer epochs: lower trainer.epochs")
        if median >= 1 - self.late:
            return Finding(Verdict.WARN, where, numbers, "too short", "train longer: raise trainer.epochs")
        return Finding(Verdict.PASS, where, numbers)
