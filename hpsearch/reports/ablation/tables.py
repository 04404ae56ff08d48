"""Tables of an ablation: headings and rows of cells, for a terminal, a README or a page."""

from hpsearch.base import words
from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import level, replicates_in_common
from hpsearch.reports.ablation.cells import (
    count,
    difference_cell,
    evidence,
    interval_cell,
    mean,
    p_cell,
    setting,
    sorts,
)
from hpsearch.reports.ablation.comparisons import Difference
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.sentences import detectable, first_step, over_what
from hpsearch.reports.ablation.tuning import ArmSearch
from hpsearch.reports.kit.cells import NONE, Cell, Cells
from hpsearch.reports.kit.evidence import StudyIntervals, margin_of
from hpsearch.reports.kit.texts import signed_interval
from hpsearch.statistics.intervals import LARGE

COMPARED = ("difference", "95 %, one comparison", "p (Holm)")
TESTED = "test difference"
STRENGTH = ("Hedges' g", "detectable")
TUNING_AID = (
    "A search on seeds of its own: the values of the best smoothed mean, of those at which every seed trains and whose "
    "own mean, which stands beside it, is not clearly worse than the best. A mean is smoothed by a parabola over two "
    "neighbours on either side, nearer ones weighing more."
)
_STANDINGS = {"highest": "the best mean", "equal": "as good within the margin", "too variable": "too variable to rank"}


def arm_rows(found: Ablation) -> Cells:
    """Return one row per arm: levels, nuisance values, n, mean, sd, interval, verdict, paired difference.

    Where a trial of some arm does not train a column says how many do, and such an arm has no mean.
    """
    parted = any(arm.lost for arm in found.arms)
    nuisance = [key for key in found.nuisance.keys if any(key in arm.nuisance for arm in found.arms)]
    tested = any(arm.test is not None for arm in found.arms)
    names = [factor.name for factor in found.factors] + [words.label(key) for key in nuisance]
    names += ["n", *(["train"] if parted else []), found.objective.metric, "sd", "95 % interval"]
    names += [*(["test"] if tested else []), "verdict", *COMPARED]
    names += [TESTED] if tested else []
    compared = {each.arm: each for each in found.differences}
    rows = []
    for arm in found.arms:
        cells = [Cell(level(arm.levels[factor.key]), sorts(arm.levels[factor.key])) for factor in found.factors]
        cells += [setting(arm.nuisance, key) for key in nuisance]
        cells += [count(arm.score.n)]
        cells += [Cell(f"{arm.trained} of {arm.trained + arm.lost}", arm.trained)] if parted else []
        cells += [NONE, NONE, NONE] if arm.lost else evidence(arm.score)
        cells += [NONE if arm.test is None else mean(arm.test)] if tested else []
        own = compared.get(arm.name)
        beside = Cell("reference") if arm is found.reference else NONE
        cells += [beside, NONE, NONE, NONE] if own is None else [Cell(own.verdict), *against(own)]
        cells += [NONE if own is None else tested_difference(own)] if tested else []
        rows.append(tuple(cells))
    return tuple(names), rows


def difference_rows(found: Ablation) -> Cells:
    """Return one row per compared arm: pairs, difference, both intervals, p-values, effect size, what could be seen."""
    tested = any(each.test is not None for each in found.differences)
    names = ("arm", "pairs", "difference", COMPARED[1], "the other one", *([TESTED] if tested else []))
    names += ("p", "p (Holm)", *STRENGTH)
    rows = []
    for each in found.differences:
        if not each.difference.n:
            rows.append((Cell(each.arm), count(0), *[NONE] * (len(names) - 3), Cell(each.why)))
            continue
        gap, interval, p_holm = against(each)
        other = interval_cell(each.difference, each.difference.beside)
        rows.append((
            Cell(each.arm),
            count(each.difference.n),
            *(gap, interval, other, *([tested_difference(each)] if tested else []), p_cell(each.p), p_holm),
            *strength(each, found.objective),
        ))
    return names, rows


def against(own: Difference) -> tuple[Cell, Cell, Cell]:
    """Return a paired difference, its interval and its adjusted p-value: cells under `COMPARED`."""
    found = own.difference
    if not found.n:
        return NONE, NONE, NONE
    if found.shown is None:
        size = words.precision(found.mean).write(found.mean, "+")
    else:
        size, *_ = signed_interval(found.mean, found.shown)
    return Cell(size, found.mean), interval_cell(found, found.shown), p_cell(own.p_holm)


def tested_difference(own: Difference) -> Cell:
    """Return the paired difference on the test split with its interval: a cell under `TESTED`."""
    return difference_cell(own.test)


def strength(own: Difference, objective: Objective) -> tuple[Cell, Cell]:
    """Return the effect size of a paired difference and what these pairs would have shown: cells under `STRENGTH`."""
    return (
        NONE if own.effect is None else Cell(words.minus(f"{own.effect:+.2f}"), own.effect),
        NONE if own.detectable is None else Cell(detectable(own.detectable, objective), own.detectable),
    )


def effect_rows(found: Ablation) -> Cells:
    """Return one row per main effect and interaction: share of the variance of two factors or more, F, degrees, p."""
    shares = any(each.omega_squared is not None for each in found.effects.each)
    several = len(found.effects.each) > 1
    names = ("effect", *(["share of variance, ω²"] if shares else []), "F", "degrees of freedom", "p")
    names += ("p (Holm)",) if several else ()
    return names, [
        (
            Cell(each.name),
            *([NONE if each.omega_squared is None else _share(each.omega_squared)] if shares else []),
            NONE if each.p is None else Cell(f"{each.f:.3g}", each.f),
            Cell(", ".join(f"{freedom:.3g}" for freedom in each.freedom)),
            p_cell(each.p),
            *([p_cell(each.p_holm)] if several else []),
        )
        for each in found.effects.each
    ]


def effect_aid(found: Ablation) -> str:
    """Say how to read the analysis of variance."""
    aid = "Analysis of variance with the seeds as blocks, degrees of freedom after Greenhouse and Geisser."
    return (
        aid
        if len(found.varied) < 2
        else f"{aid} ω² is the share of the variance of all scores, that of noise taken off."
    )


def arm_aid(found: Ablation) -> str:
    """Say how to read the table of arms."""
    known = [arm.known for arm in found.arms if arm.score.shown is not None and arm.known is not None]
    kinds = {f"{each.over}{', rather too wide' * each.conservative}" for each in known}
    its = f"; its interval is {' or '.join(sorted(kinds))}" if kinds else ""
    return f"Mean over seeds{its}. {difference_aid(found)}"


def difference_aid(found: Ablation) -> str:
    """Say what differences are over, and at which level they are judged."""
    return (
        f"Arm minus reference, paired: {over_what(found.table)}. An interval is for one comparison; p (Holm) and the "
        f"verdict are adjusted for all. Detectable: the true difference that is found with 80 % power "
        f"{first_step(found.differences)}, an estimate from the estimated spread."
    )


def ranking_aid(found: Ablation) -> str:
    """Say how to read the ranking; of few seeds the resamples are few, and too much alike."""
    n = len(replicates_in_common([arm for arm in found.arms if arm.finished]))
    aid = (
        "The order of the means. “May be as good” compares all arms at once, 5 % for all pairs of them (Tukey). The "
        "places are those of 2,000 resamples of the seeds."
    )
    margin = margin_of(found.objective, StudyIntervals(found.table, found.objective).samples())
    aid += f" A difference below {words.number(margin)} counts as none (objective.margin)." if margin else ""
    if n >= LARGE:
        return aid
    return f"{aid} With {n} seeds these ranges are too narrow: no test, and no sign that arms differ."


def ranking_rows(found: Ablation) -> Cells:
    """Return one row per ranked arm: place, whether it may be the best, its places over resampled seeds."""
    names = ("place", "arm", "against the best mean", "95 % of the resamples", "best in")
    return names, [
        (
            Cell(f"{rank.place:g}", rank.place),
            Cell(rank.arm),
            Cell(_STANDINGS.get(rank.standing, rank.standing)),
            Cell(" to ".join(dict.fromkeys(f"{place:g}" for place in (rank.low, rank.high)))),
            Cell(f"{100 * rank.best:.0f} %", rank.best),
        )
        for rank in found.ranking
    ]


def tuning_rows(found: Ablation) -> Cells:
    """Return one row per arm that was searched: the values it was given, how the others fared, their edge."""
    keys = found.nuisance.keys
    names = ("arm", *(words.label(key) for key in keys), found.objective.metric)
    names += ("smoothed", "tried", "diverged", "not trained", "at an edge")
    return names, [
        (
            Cell(each.arm),
            *(setting(each.params, key) for key in keys),
            NONE if each.mean is None else Cell(words.score(each.mean), each.mean),
            NONE if (own := _smoothed(each)) is None else Cell(words.score(own), own),
            count(len(each.tried)),
            count(sum(one.diverged for one in each.tried)),
            count(sum(one.stable is False and not one.diverged for one in each.tried)),
            Cell(", ".join(f"{words.label(key)} {side}" for key, side in each.at_edge.items())),
        )
        for each in found.nuisance.searches
    ]


def _smoothed(search: ArmSearch) -> float | None:
    return next((each.smoothed for each in search.tried if each.params == search.params), None)


def claim_rows(found: Ablation) -> Cells:
    """Return one row per claim: number, statement, verdict, why."""
    names = ("claim", "statement", "verdict", "why")
    return names, [
        (count(each.claim.number), Cell(each.claim.statement), Cell(each.result.verdict), Cell(each.result.sentence))
        for each in found.claims
    ]


def _share(value: float) -> Cell:
    return Cell(f"{100 * value:.0f} %", value)
