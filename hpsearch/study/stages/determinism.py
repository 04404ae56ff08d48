"""Third gate: the same seed gives the same training."""

import math
from dataclasses import dataclass
from typing import ClassVar

from hpsearch.base.errors import check_float, check_int
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import Fault, finding


@dataclass(frozen=True, slots=True)
class Determinism:
    """Builds and trains the same configuration twice for a few steps, and compares losses and weights bit by bit.

    Causes: draws outside the seed; of a warning: order of sums on the GPU.

    Args:
        steps: updates of each run.
        rounding: relative difference of losses up to which a GPU's order of sums explains it.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "The same seed twice"
    question: ClassVar[str] = "Does the same seed give the same training?"

    steps: int = 20
    rounding: float = 1e-3
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.determinism.steps", self.steps, 1)
        check_float("stages.determinism.rounding", self.rounding, "[0, inf)")

    def run(self, context: Context) -> Finding:
        """Train twice."""
        found = context.measure("determinism", context.config(), steps=self.steps)
        first, again = found["losses"]
        apart = [step for step, pair in enumerate(zip(first, again, strict=False), 1) if repr(pair[0]) != repr(pair[1])]
        largest = max((abs(a - b) / abs(a) for a, b in zip(first, again, strict=False) if a and a != b), default=0.0)
        numbers = {"steps": self.steps, "difference": largest, "passes": found["passes"]}
        series = {"losses": first, "again": again}
        if not apart and found["same_weights"]:
            sentence = f"two runs of {self.steps} steps with the same seed are equal bit for bit"
            return finding([], sentence, numbers, series)
        when = f"from step {apart[0]} on by up to {largest:.2g} of the loss" if apart else "in their weights only"
        sentence = f"two runs with the same seed differ {when}"
        if found["device"] != "cpu" and (largest <= self.rounding or math.isnan(largest)):
            action = "set trainer.deterministic=true to have sums in one order, at some cost"
            return finding([Fault("order of sums on the GPU", sentence, action, Verdict.WARN)], "", numbers, series)
        action = "let the model, the loss and the data draw from torch's generators only, which are seeded"
        return finding([Fault("draws outside the seed", sentence, action)], "", numbers, series)
