"""Tables of an ablation as texts: headings and rows, for a terminal, a README or a page."""

from collections.abc import Sequence

from hpsearch.analysis import words
from hpsearch.analysis.ablation import Ablation
from hpsearch.analysis.ablation_words import detectable, method
from hpsearch.analysis.arms import level, replicates_in_common
from hpsearch.analysis.comparisons import Difference
from hpsearch.analysis.costs import Cost, Reach
from hpsearch.analysis.estimates import LARGE, Estimate
from hpsearch.analysis.intervals import Interval

TextTable = tuple[tuple[str, ...], list[tuple[str, ...]]]
NONE = "–"


def arm_rows(found: Ablation) -> TextTable:
    """Return one row per arm: levels, nuisance values, n, mean, sd, interval, difference from the reference."""
    nuisance = [key for key in found.nuisance.keys if any(key in arm.nuisance for arm in found.arms)]
    tested = any(arm.test is not None for arm in found.arms)
    names = [factor.name for factor in found.factors] + [words.label(key) for key in nuisance]
    names += ["n", found.objective.metric, "sd", "95 % interval", *(["test"] if tested else [])]
    names += ["difference", "95 % interval", "p (Holm)", "verdict"]
    compared = {each.arm: each for each in found.differences}
    rows = []
    for arm in found.arms:
        cells = [level(arm.levels[factor.key]) for factor in found.factors]
        cells += [words.number(arm.nuisance[key]) if key in arm.nuisance else NONE for key in nuisance]
        cells += [str(arm.score.n), *_mean(arm.score), _interval(arm.score)]
        cells += [_mean(arm.test)[0] if arm.test else NONE] if tested else []
        own = compared.get(arm.name)
        beside = "reference" if arm is found.reference else NONE
        cells += [beside, "", "", ""] if own is None else _difference(own)
        rows.append(tuple(cells))
    return tuple(names), rows


def difference_rows(found: Ablation) -> TextTable:
    """Return one row per compared arm: pairs, difference, both intervals, p-values, effect size, what could be seen."""
    names = (
        "arm",
        "pairs",
        "difference",
        "interval shown",
        "the other one",
        "p",
        "p (Holm)",
        "Hedges' g",
        "detectable",
    )
    rows = []
    for each in found.differences:
        if not each.difference.n:
            rows.append((each.arm, "0", *[NONE] * 6, each.why))
            continue
        rows.append((
            each.arm,
            str(each.difference.n),
            _gap(each.difference),
            _named(each.difference, each.difference.shown),
            _named(each.difference, each.difference.beside),
            _p(each.p),
            _p(each.p_holm),
            NONE if each.effect is None else f"{each.effect:+.2f}",
            NONE if each.detectable is None else detectable(each.detectable, found.objective.metric),
        ))
    return names, rows


def effect_rows(found: Ablation) -> TextTable:
    """Return one row per main effect and interaction: share of the variance between arms, F, degrees, p."""
    names = ("effect", "share between arms", "F", "degrees of freedom", "p")
    return names, [
        (
            each.name,
            f"{100 * each.share:.0f} %",
            NONE if each.p is None else f"{each.f:.3g}",
            ", ".join(f"{freedom:.3g}" for freedom in each.freedom),
            _p(each.p),
        )
        for each in found.effects.each
    ]


def ranking_aid(found: Ablation) -> str:
    """Say how to read the ranking; of few seeds the resamples are few, and too much alike."""
    n = len(replicates_in_common([arm for arm in found.arms if arm.finished]))
    aid = "The order of the means, and again over 2,000 resamples of the seeds."
    if n >= LARGE:
        return aid
    return f"{aid} With {n} seeds these ranges are too narrow: no test, and no sign that arms are told apart."


def ranking_rows(found: Ablation) -> TextTable:
    """Return one row per ranked arm: place, its 95 % range over resampled seeds, how often it is the best."""
    names = ("place", "arm", "95 % of the resamples", "best in")
    return names, [
        (f"{rank.place:g}", rank.arm, f"{rank.low:.0f} to {rank.high:.0f}", f"{100 * rank.best:.0f} %")
        for rank in found.ranking
    ]


def cost_rows(found: Ablation) -> TextTable:
    """Return one row per arm: time per update and epoch, how much to the target, best epoch, what the end lost."""
    names = ["arm", "per update", "per epoch", "updates", "training"]
    names += (
        [f"{unit} to {words.number(found.target)}" for unit in ("epochs", "updates", "seconds")] if found.target else []
    )
    names += ["best epoch", "best", "final", "final − best"]
    return tuple(names), [_cost(cost, found) for cost in found.costs]


def tuning_rows(found: Ablation) -> TextTable:
    """Return one row per arm that was searched: its best nuisance values, how the others fared, their edge."""
    keys = found.nuisance.keys
    names = ("arm", *(words.label(key) for key in keys), found.objective.metric)
    names += ("tried", "diverged", "loss not halved", "at an edge")
    return names, [
        (
            each.arm,
            *(words.number(each.params[key]) if key in each.params else NONE for key in keys),
            words.score(each.mean),
            str(len(each.tried)),
            str(sum(one.diverged for one in each.tried)),
            str(sum(one.stable is False and not one.diverged for one in each.tried)),
            ", ".join(f"{words.label(key)} {side}" for key, side in each.at_edge.items()),
        )
        for each in found.nuisance.tuned
    ]


def claim_rows(found: Ablation) -> TextTable:
    """Return one row per claim: number, statement, verdict, why."""
    names = ("claim", "statement", "verdict", "why")
    return names, [(str(each.number), each.statement, each.verdict, each.sentence) for each in found.claims]


def _cost(cost: Cost, found: Ablation) -> tuple[str, ...]:
    reached = [_reach(cost.to_target[unit]) for unit in cost.to_target]
    return (
        cost.arm,
        words.duration(cost.update_sec.mean),
        words.duration(cost.epoch_sec.mean),
        words.number(round(cost.updates.mean)) if cost.updates.n else NONE,
        words.duration(cost.seconds.mean),
        *(reached if found.target else ()),
        f"{cost.best_epoch.mean:.1f}" if cost.best_epoch.n else NONE,
        *(words.score(each.mean, each.sd) for each in (cost.best, cost.final)),
        f"{cost.slack.mean:+.2g}" if cost.slack.n else NONE,
    )


def _reach(reach: Reach) -> str:
    if not reach.n:
        return NONE
    missed = f" (not reached in {reach.missed} of {reach.n})" if reach.missed else ""
    if reach.median is None:
        return f"not reached in {reach.missed} of {reach.n}"
    shown = words.duration(reach.median) if reach.unit == "seconds" else words.number(reach.median)
    return f"{shown}{missed}"


def _mean(found: Estimate) -> Sequence[str]:
    if not found.n:
        return (NONE, NONE)
    digits = words.decimals(found.mean, found.sd)
    return (f"{found.mean:.{digits}f}", NONE if found.sd is None else f"{found.sd:.{digits}f}")


def _interval(found: Estimate) -> str:
    if found.shown is None or found.sd is None:
        return NONE
    ends = words.interval(found.shown.low, found.shown.high, found.mean, found.sd)
    return f"{ends} ({method(found)})"


def _named(found: Estimate, interval: Interval | None) -> str:
    if interval is None or found.sd is None:
        return NONE
    digits = words.interval_decimals(interval.low, interval.high)
    return f"{interval.low:+.{digits}f} to {interval.high:+.{digits}f} ({'t' if interval is found.t else 'BCa'})"


def _difference(own: Difference) -> Sequence[str]:
    if not own.difference.n:
        return (NONE, NONE, NONE, own.verdict)
    found = own.difference
    return (_gap(found), _named(found, found.shown), _p(own.p_holm), own.verdict)


def _gap(found: Estimate) -> str:
    shown = found.shown
    digits = words.decimals(found.mean) if shown is None else words.interval_decimals(shown.low, shown.high)
    return f"{found.mean:+.{digits}f}"


def _p(p: float | None) -> str:
    return NONE if p is None else "< .001" if p < 0.001 else f"{p:.2g}"
