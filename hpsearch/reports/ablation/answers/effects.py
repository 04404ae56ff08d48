"""Which of several factors matter, and whether they matter together."""

from collections.abc import Iterator

from hpsearch.base import words
from hpsearch.reports.ablation.answers.texts import Answer
from hpsearch.reports.ablation.effects import Effect
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.statistics.comparisons import ALPHA


def effects(found: Ablation) -> Iterator[Answer]:
    """Say which factors and pairs of factors change the score, where several are varied."""
    known = [each for each in found.effects.each if each.p_holm is not None]
    if len(found.varied) < 2 or not known:
        return
    said = "; ".join(_effect(each) for each in known)
    yield Answer(
        "Effects",
        f"By analysis of variance of {found.objective.metric}, the seeds as blocks, Holm-adjusted at 5 %: {said}.",
    )


def _effect(each: Effect) -> str:
    shown = "is shown" if each.p_holm is not None and each.p_holm <= ALPHA else "is not shown"
    share = "" if each.omega_squared is None else f", {words.number(round(100 * each.omega_squared))} % of the variance"
    freedom = ", ".join(f"{part:.3g}" for part in each.freedom)
    kind = "an interaction" if each.interaction else "an effect"
    return f"{kind} of {each.name} {shown} (F({freedom}) = {each.f:.3g}, p = {each.p_holm:.2g}{share})"
