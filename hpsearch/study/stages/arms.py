"""Second stage of an ablation: every arm over the same seeds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.grammar import value_text
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.sentences import answer
from hpsearch.study.factorial import Factorial
from hpsearch.study.stages.base import Context, Finding, Verdict, design, need
from hpsearch.study.stages.common import counts


@dataclass(frozen=True, slots=True)
class Arms:
    """Every arm of an ablation, at its nuisance values, over ``study.seeds`` seeds that all share.

    Nothing is pruned, so that every arm has all of its replicates. ``trainer.test=true`` evaluates the test split once
    at the end of each.

    Args:
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Compare the arms"
    question: ClassVar[str] = "Which arm is best over seeds that all share?"
    gives: ClassVar[tuple[str, ...]] = ("best_arm",)
    of_any_code: ClassVar[bool] = True

    on_fail: str = "stop"

    def run(self, context: Context) -> Finding:
        """Train the arms and compare them."""
        factorial = design(context)
        tuned: Mapping[str, Mapping[str, Any]] = need(context, "nuisance", "tune") if factorial.retuned else {}
        space = {**factorial.factors, **(factorial.nuisance if factorial.retuned else {})}
        table = context.search("arms", [*_queue(factorial, tuned), *factorial.words], space)
        found, numbers = context.ablation(table), counts(table)
        sentence = answer(found).removesuffix(".")
        if found.best is None:
            action = "look at the errors in the trials, or choose a smaller learning rate"
            some = any(arm.trained for arm in found.arms)
            return Finding(Verdict.FAIL, sentence, numbers, "some seeds train" if some else "nothing trains", action)
        cause, action = _warning(found, factorial)
        verdict = Verdict.WARN if cause else Verdict.PASS
        return Finding(verdict, sentence, numbers, cause, action, {"best_arm": _best(found.best)})


def _best(best: Arm) -> dict[str, Any]:
    """Return the best arm as a study records its best point: settings, mean, spread, number of trials."""
    params = {key: value for key, value in {**best.levels, **best.nuisance}.items() if value is not None}
    return {
        "point": best.point,
        "params": params,
        "mean": best.score.mean,
        "sd": math.nan if best.score.sd is None else best.score.sd,
        "n": best.score.n,
    }


def _queue(factorial: Factorial, tuned: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the words that queue every arm with its nuisance values; one that trained with none is left out."""
    seeds = f"study.seeds={factorial.replicates}"
    fixed = [seeds, "pruner=none", "budget.points=null", "extend.edges=false"]
    if not factorial.retuned:
        return ["sampler=grid", *fixed]
    points = [{**levels, **tuned[name]} for name, levels in factorial.arms.items() if name in tuned]
    return ["sampler=manual", f"sampler.points={value_text(points)}", *fixed]


def _warning(found: Ablation, factorial: Factorial) -> tuple[str, str]:
    """Return cause and action where an arm is missing or one seed says nothing of the spread."""
    finished = {arm.name for arm in found.arms if arm.finished}
    missing = [name for name in factorial.arms if name not in finished]
    if missing:
        return (
            f"no finished trial of {'; '.join(missing)}",
            "look at its trials; the other arms are compared without it",
        )
    if any(arm.alike for arm in found.arms):
        return f"{NO_SEEDS}, so n = 1 and no interval is claimed", "set study.seeds=1, or draw from the trial's seed"
    if all(arm.score.n < 2 for arm in found.arms):
        return "one seed says nothing of the spread, so no interval is claimed", "set study.seeds=5"
    return "", ""
