"""What learning rate suits which arm, and what momentum and rate do together."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.base import words
from hpsearch.base.keys import HELD
from hpsearch.reports.ablation.answers.texts import Answer, Item, joined, measured
from hpsearch.reports.ablation.claims import effective_rate, noise_scale
from hpsearch.reports.ablation.claims.claim import BATCH, MOMENTUM, RATE, ClaimVerdict, Evidence
from hpsearch.reports.ablation.claims.rates import rates_by_momentum
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.tuning import ArmSearch
from hpsearch.statistics.intervals import Interval, estimate

_SAME = 3
"""Rates that agree to so many digits are one rate."""


def rates(found: Ablation) -> Iterator[Answer]:
    """Say which rate suits which arm; over momenta also as effective rate lr / (1 - m), and what one rate gives all."""
    factors = {factor.key for factor in found.varied}
    if not factors & {BATCH, MOMENTUM}:
        return
    held = found.nuisance.held.get(RATE)
    if found.nuisance.mode == HELD:
        if isinstance(held, int | float) and MOMENTUM in factors:
            yield Answer("Momentum and rate", _held(found, float(held)))
        return
    texts = [_chosen(found.nuisance.searches)]
    if MOMENTUM in factors:
        texts += [_effective(found), _at_one_rate(found)]
    texts.append(_claims(found))
    said = " ".join(text for text in texts if text)
    if said:
        yield Answer("Momentum and rate" if MOMENTUM in factors else "Rate", said)


def _held(found: Ablation, rate: float) -> str:
    momenta = [(arm.name, arm.levels.get(MOMENTUM)) for arm in found.arms]
    items = [_plain(rate / (1 - m), name) for name, m in momenta if isinstance(m, int | float) and m < 1]
    return (
        f"Every arm has the learning rate {words.number(rate)}, an effective rate lr / (1 − m) of {joined(items)}: "
        "momentum and effective rate change together here and are not told apart (ablation.nuisance=retuned)."
    )


def _chosen(searches: Sequence[ArmSearch]) -> str:
    items = [_plain(float(each.params[RATE]), each.arm, _edge(each)) for each in searches if RATE in each.params]
    return f"The learning rate that was tuned is {joined(items)}." if items else ""


def _edge(each: ArmSearch) -> str:
    side = each.at_edge.get(RATE)
    return f" (the {'lowest' if side == 'low' else 'highest'} tried)" if side else ""


def _effective(found: Ablation) -> str:
    momenta = {each.arm: each.levels.get(MOMENTUM) for each in found.nuisance.searches}
    chosen = [
        _plain(float(each.params[RATE]) / (1 - m), each.arm)
        for each in found.nuisance.searches
        if RATE in each.params and isinstance(m := momenta[each.arm], int | float) and m < 1
    ]
    return f"As effective rate lr / (1 − m), m the momentum, that is {joined(chosen)}. {_tops(found)}" if chosen else ""


def _tops(found: Ablation) -> str:
    """Say where a parabola through the scores has its top, which need not be at the rate that was chosen."""
    evidence = Evidence(found.table, found.arms, found.costs, found.nuisance, found.objective)
    known = [
        (f"{name}{', ' * bool(name)}momentum {momentum:g}", each.peak())
        for name, group in rates_by_momentum(evidence).items()
        for momentum, each in group
    ]
    items = [_top(*peak, arm) for arm, peak in known if peak is not None]
    without = [arm for arm, peak in known if peak is None]
    if not items:
        return "No parabola through the scores over the rates has a top with an interval, at any arm."
    but = f"; at {len(without)} of {words.count(len(known), 'arm')} none with an interval is found" if without else ""
    return f"The best by a parabola through the scores over the rates is {joined(items)}{but}."


def _plain(rate: float, arm: str, note: str = "") -> Item:
    return Item(rate, arm, f"{words.number(rate)}{note}", words.number(rate))


def _top(place: float, interval: Interval, arm: str) -> Item:
    low, high = (words.number(10**end) for end in (interval.low, interval.high))
    return _plain(10**place, arm, f" ({low} to {high})")


def _at_one_rate(found: Ablation) -> str:
    """Say what one learning rate gives the arms that have tried it, the one that most have, nearest to the chosen."""
    tried: dict[str, list[ArmSearch]] = {}
    for search in found.nuisance.searches:
        for rate in {
            _digits(each.params[RATE]) for each in search.tried if RATE in each.params and each.mean is not None
        }:
            tried.setdefault(rate, []).append(search)
    reference = None if found.reference is None else found.reference.name
    shared = {rate: s for rate, s in tried.items() if len(s) > 1 and reference in [each.arm for each in s]}
    if not shared:
        return ""
    own = next(each for each in found.nuisance.searches if each.arm == reference).params.get(RATE, 1.0)
    rate = max(shared, key=lambda each: (len(shared[each]), -abs(math.log(float(each) / float(own)))))
    items = []
    for search in shared[rate]:
        scores = next(
            each.scores for each in search.tried if RATE in each.params and _digits(each.params[RATE]) == rate
        )
        found_there = estimate(list(scores.values()))
        items.append(measured(search.arm, found_there))
    seeds = max(search.seeds for search in shared[rate])
    return (
        f"At one learning rate, {words.number(float(rate))}, over {words.count(seeds, 'seed')} of the search, "
        f"{found.objective.metric} is {joined(items)}."
    )


def _digits(rate: float) -> str:
    return f"{rate:.{_SAME}g}"


def _claims(found: Ablation) -> str:
    told = [each for each in found.claims if each.claim in (effective_rate.CLAIM, noise_scale.CLAIM)]
    return " ".join(
        f"Claim {each.claim.number}, {each.claim.statement[0].lower()}{each.claim.statement[1:].removesuffix('.')}: "
        f"{each.result.verdict}{_why(each.result.verdict, each.result.sentence)}."
        for each in told
    )


def _why(verdict: ClaimVerdict, sentence: str) -> str:
    return "" if verdict is ClaimVerdict.UNDECIDED else f" ({sentence})"
