"""Two ablations arm by arm: what the arms that both have gained from the one to the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpsearch.base import words
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm, ablation_options, arms_of, factors_of
from hpsearch.reports.ablation.cells import mean, setting
from hpsearch.reports.ablation.comparisons import Difference, judged, paired, tally
from hpsearch.reports.ablation.figures.differences import differences_figure
from hpsearch.reports.ablation.tables import COMPARED, STRENGTH, against, strength
from hpsearch.reports.ablation.tuning import nuisance_of
from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.kit.cells import Cell
from hpsearch.reports.kit.points import objective_of
from hpsearch.reports.kit.tables import Table, as_table


@dataclass(frozen=True, slots=True)
class SharedArm:
    """An arm that two ablations have.

    Attributes:
        first: as the first one trained it, with the nuisance values that it was held at or given.
        second: as the second one did.
        difference: second minus first, paired by seed and fold; better or worse is said of the second.
    """

    first: Arm
    second: Arm
    difference: Difference


def arm_by_arm(first: TrialTable, second: TrialTable) -> tuple[SharedArm, ...]:
    """Compare the arms of two ablations that have the same levels.

    Args:
        first: the arms of one.
        second: those of the other.

    Returns:
        The shared arms in the order of the first, p-values adjusted for all of them; none where one of the two is no
        study of arms, a point is not the only one with its levels, or they are compared by different metrics.
    """
    objective, other = (objective_of(table.study) for table in (first, second))
    by_levels = _by_levels(second)
    pairs = [(arm, by_levels[levels]) for levels, arm in _by_levels(first).items() if levels in by_levels]
    if (objective.metric, objective.direction) != (other.metric, other.direction):
        return ()
    found = [
        paired(*(replace(arm, name=f"{arm.name} of {table.name}") for arm, table in ((b, second), (a, first))))
        for a, b in pairs
    ]
    return tuple(
        SharedArm(a, b, replace(each, arm=a.name)) for (a, b), each in zip(pairs, judged(found, objective), strict=True)
    )


def told(shared: Sequence[SharedArm], first: str, second: str) -> str:
    """Say in one sentence how many arms of a second ablation are better or worse than in the first."""
    of = f"Of {words.count(len(shared), 'arm')} that both have"
    verdicts = tally([each.difference for each in shared])
    return f"{of}, in {second} against {first}: {verdicts} (paired by seed, Holm-adjusted, 5 %)."


def shared_table(shared: Sequence[SharedArm], first: str, second: str, objective: Objective) -> Table:
    """Return one row per shared arm: both means, whether the second is better, the difference and its interval."""
    nuisance = list(dict.fromkeys(key for each in shared for arm in (each.first, each.second) for key in arm.nuisance))
    names = [f"{words.label(key)}, {name}" for key in nuisance for name in (first, second)]
    headings = ("arm", first, second, *COMPARED[:2], "verdict", COMPARED[2], "pairs", *STRENGTH, *names)
    rows = []
    for each in shared:
        arms, own = (each.first, each.second), each.difference
        given = [setting(arm.nuisance, key) for key in nuisance for arm in arms]
        pairs = Cell(str(own.difference.n), own.difference.n)
        scores = [mean(arm.score) for arm in arms]
        gap, interval, p = against(own)
        found = (gap, interval, Cell(own.verdict), p, pairs, *strength(own, objective))
        rows.append((Cell(own.arm), *scores, *found, *given))
    return as_table(headings, rows)


def shared_figure(shared: Sequence[SharedArm], first: str, second: str, metric: str) -> Drawn | None:
    """Return the differences of the arms that both have, where some could be paired."""
    if not any(each.difference.difference.n for each in shared):
        return None
    aid = f"{second} − {first}, paired by seed, with 95 % intervals; colour and shape are the verdict after Holm."
    figure = differences_figure([each.difference for each in shared], metric, first)
    return "differences", "Arm by arm", aid, figure


def _by_levels(table: TrialTable) -> dict[frozenset[tuple[str, object]], Arm]:
    """Return the arms of an ablation by their levels; none of a study of anything else, or of its search before."""
    if not ablation_options(table.study).get("factors"):
        return {}
    arms = arms_of(table, factors_of(table))
    held = nuisance_of(table, arms, None).held
    found = {frozenset(arm.levels.items()): replace(arm, nuisance={**held, **arm.nuisance}) for arm in arms}
    return found if len(found) == len(arms) else {}
