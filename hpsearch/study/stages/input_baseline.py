"""Fourth gate: a model that sees the inputs does better than one that does not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import check_float, check_int
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import Fault, check_factors, finding


@dataclass(frozen=True, slots=True)
class InputBaseline:
    """Trains with the inputs and with zeros in their place, and compares the validation losses.

    Where no run with inputs is better, a linear fit says whether the inputs say anything of the targets.

    Causes: inputs say nothing of the targets; of a warning: nothing learnt, where a linear fit does learn.

    Args:
        steps: updates of each run.
        factors: on the configured learning rate, tried in this order until the inputs help.
        errors: standard errors by which they must.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Without the inputs"
    question: ClassVar[str] = "Does a model that sees the inputs do better than one that does not?"

    steps: int = 100
    factors: Sequence[float] = (1.0, 0.1, 10.0)
    errors: float = 2.0
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.input_baseline.steps", self.steps, 1)
        check_factors("stages.input_baseline.factors", self.factors)
        check_float("stages.input_baseline.errors", self.errors, "(0, inf)")

    def run(self, context: Context) -> Finding:
        """Train with and without inputs."""
        options = {name: value for name, value in asdict(self).items() if name != "on_fail"}
        found = context.measure("input_baseline", context.config(), **options)
        best: dict[str, Any] = max(found["runs"], key=lambda run: run["errors"])
        numbers = {**best, "passes": found["passes"], "linear_errors": found["linear_errors"]}
        sentence = (
            f"after {self.steps} steps at {best['rate']:.3g} the validation loss is {best['real']:.4g} with the inputs "
            f"and {best['zeroed']:.4g} without them, {best['errors']:.1f} standard errors apart"
        )
        if best["errors"] >= self.errors:
            return finding([], sentence, numbers)
        linear = f"a linear fit is better than none by {found['linear_errors']:.1f} standard errors"
        if found["linear_errors"] >= self.errors:
            action = "look at overfit_small, which names the cause, or raise stages.input_baseline.steps"
            return finding([Fault("nothing learnt", f"{sentence}; {linear}", action, Verdict.WARN)], "", numbers)
        action = "look whether labels and inputs belong together, in the order in which data reads them"
        return finding([Fault("inputs say nothing of the targets", f"{sentence}; {linear}", action)], "", numbers)
