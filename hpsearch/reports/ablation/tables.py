"""Tables of an ablation: headings and rows of cells, for a terminal, a README or a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.base import words
from hpsearch.base.types import Objective
from hpsearch.reports.ablation.arms import level, replicates_in_common
from hpsearch.reports.ablation.comparisons import Difference
from hpsearch.reports.ablation.costs import Cost, TimeToTarget
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.sentences import detectable, first_step, method, over_what
from hpsearch.reports.ablation.tuning import ArmSearch
from hpsearch.reports.kit.cells import NONE, Cell, Cells
from hpsearch.reports.kit.evidence import StudyIntervals, margin_of
from hpsearch.reports.kit.tables import end_cells
from hpsearch.reports.kit.texts import signed_interval
from hpsearch.statistics.crossed import FEWEST_SEEDS
from hpsearch.statistics.intervals import LARGE, Estimate, Interval

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
        cells = [Cell(level(arm.levels[factor.key]), _sorts(arm.levels[factor.key])) for factor in found.factors]
        cells += [setting(arm.nuisance[key]) if key in arm.nuisance else NONE for key in nuisance]
        cells += [_count(arm.score.n)]
        cells += [Cell(f"{arm.trained} of {arm.trained + arm.lost}", arm.trained)] if parted else []
        cells += [NONE, NONE, NONE] if arm.lost else _evidence(arm.score)
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
            rows.append((Cell(each.arm), _count(0), *[NONE] * (len(names) - 3), Cell(each.why)))
            continue
        gap, interval, p_holm = against(each)
        other = _interval(each.difference, each.difference.beside)
        rows.append((
            Cell(each.arm),
            _count(each.difference.n),
            *(gap, interval, other, *([tested_difference(each)] if tested else []), _p(each.p), p_holm),
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
    return Cell(size, found.mean), _interval(found, found.shown), _p(own.p_holm)


def tested_difference(own: Difference) -> Cell:
    """Return the paired difference on the test split with its interval: a cell under `TESTED`."""
    found = own.test
    if found is None:
        return NONE
    if found.shown is None:
        return Cell(words.precision(found.mean).write(found.mean, "+"), found.mean)
    size, low, high = signed_interval(found.mean, found.shown)
    return Cell(f"{size} ({low} to {high})", found.mean)


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
            _p(each.p),
            *([_p(each.p_holm)] if several else []),
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


def cost_rows(found: Ablation) -> Cells:
    """Return one row per arm: time per update and epoch, how much to the target, best epoch, what the end lost.

    And how its score jitters and drifts at the end, and what the same metric of the training part is there.
    """
    units = list(dict.fromkeys(unit for cost in found.costs for unit in cost.to_target))
    names = ["arm", "per update", "per epoch", "updates", "training"]
    names += [f"{unit} to {words.number(found.target)}" for unit in units]
    names += ["best epoch", "best", "final", "final − best"]
    ends = {arm.name: arm.end for arm in found.arms if arm.end is not None}
    trained = any(end.train is not None for end in ends.values())
    names += [*(["jitter", "drift"] if ends else []), *(["training part"] if trained else [])]
    return tuple(names), [
        (*_cost(cost, units), *(end_cells(ends.get(cost.arm), trained) if ends else ())) for cost in found.costs
    ]


def tuning_rows(found: Ablation) -> Cells:
    """Return one row per arm that was searched: the values it was given, how the others fared, their edge."""
    keys = found.nuisance.keys
    names = ("arm", *(words.label(key) for key in keys), found.objective.metric)
    names += ("smoothed", "tried", "diverged", "not trained", "at an edge")
    return names, [
        (
            Cell(each.arm),
            *(setting(each.params[key]) if key in each.params else NONE for key in keys),
            NONE if each.mean is None else Cell(words.score(each.mean), each.mean),
            NONE if (own := _smoothed(each)) is None else Cell(words.score(own), own),
            _count(len(each.tried)),
            _count(sum(one.diverged for one in each.tried)),
            _count(sum(one.stable is False and not one.diverged for one in each.tried)),
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
        (_count(each.claim.number), Cell(each.claim.statement), Cell(each.result.verdict), Cell(each.result.sentence))
        for each in found.claims
    ]


def _share(value: float) -> Cell:
    return Cell(f"{100 * value:.0f} %", value)


def mean(found: Estimate) -> Cell:
    """Return a mean with as many decimals as its spread deserves."""
    return Cell(words.score(found.mean, found.sd).split(" ")[0], found.mean) if found.n else NONE


def setting(value: Any) -> Cell:
    """Return a tuned value: three digits of a number."""
    return Cell(words.number(value), _sorts(value))


def _sorts(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: int) -> Cell:
    return Cell(str(value), value)


def _evidence(found: Estimate) -> Sequence[Cell]:
    """Return mean, sd and interval; a method over seeds stands beside the interval."""
    shown, sd = found.shown, found.sd
    if sd is None:
        return mean(found), NONE, Cell("one seed: none") if found.n else NONE
    spread = Cell(words.precision(found.mean, sd).write(sd), sd)
    if shown is None:
        return mean(found), spread, Cell("too few: none" if found.n < FEWEST_SEEDS else "no spread: none")
    ends, how = words.interval(shown.low, shown.high, found.mean, sd), method(found).strip()
    return mean(found), spread, Cell(f"{ends} ({how})" if how else ends, shown.high - shown.low)


def _interval(found: Estimate, interval: Interval | None) -> Cell:
    if interval is None:
        return NONE
    _, low, high = signed_interval(found.mean, interval)
    which = "t" if interval is found.t else "BCa"
    return Cell(f"{low} to {high} ({which})", interval.high - interval.low)


def _p(p: float | None) -> Cell:
    return NONE if p is None else Cell("< .001" if p < 0.001 else f"{p:.2g}", p)


def _cost(cost: Cost, units: Sequence[str]) -> tuple[Cell, ...]:
    return (
        Cell(cost.arm),
        *(_time(each) for each in (cost.update_sec, cost.epoch_sec)),
        Cell(words.number(round(cost.updates.mean)), cost.updates.mean) if cost.updates.n else NONE,
        _time(cost.seconds),
        *(_to_target(cost.to_target, unit) for unit in units),
        Cell(f"{cost.best_epoch.mean:.1f}", cost.best_epoch.mean) if cost.best_epoch.n else NONE,
        *(Cell(words.score(each.mean, each.sd), each.mean) if each.n else NONE for each in (cost.best, cost.final)),
        Cell(words.minus(f"{cost.slack.mean:+.2g}"), cost.slack.mean) if cost.slack.n else NONE,
    )


def _time(found: Estimate) -> Cell:
    return Cell(words.duration(found.mean), found.mean) if found.n else NONE


def _to_target(to_target: Mapping[str, TimeToTarget], unit: str) -> Cell:
    """Return the median to the target, with how many did not get there: those are counted, not left out."""
    times = to_target.get(unit)
    if times is None or not times.n:
        return NONE
    missed = f"not reached in {times.missed} of {times.n}"
    if times.median is None:
        return Cell(missed)
    shown = words.duration(times.median) if unit == "seconds" else words.number(times.median)
    return Cell(f"{shown} ({missed})" if times.missed else shown, times.median)
