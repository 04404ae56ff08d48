"""How fast the arms are: time, epochs, updates and seconds to a target, the best epoch, and which is the fastest."""

import math
from collections.abc import Iterator
from dataclasses import replace

from hpsearch.base import words
from hpsearch.reports.ablation.answers.texts import NAMED, Answer, Item, joined, valued
from hpsearch.reports.ablation.contrasts import Contrast
from hpsearch.reports.ablation.costs import Cost, TimeToTarget
from hpsearch.reports.ablation.fastest import TRAINING, Race
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.statistics.intervals import Estimate

NO_ROUNDS = (
    "the trials were not made in rounds over all arms, so the machine's load may differ between them "
    "(ablation.rounds=true)"
)
_SUPERLATIVES = {"epochs": "Fewest epochs", "updates": "Fewest updates", "seconds": "Least seconds of training"}


def target(found: Ablation) -> Iterator[Answer]:
    """Say how many epochs, updates and seconds each arm needs to the target, against the reference."""
    if found.target is None:
        return
    goal = f"{found.objective.metric} {words.number(found.target)}"
    texts = []
    for unit in _units(found):
        race = found.races[unit]
        items = [
            _needed(cost, times, race)
            for cost in found.costs
            if (times := cost.to_target.get(unit)) is not None and times.n
        ]
        if items:
            texts.append(f"{words.capitalized(unit)} to {goal}, median over the seeds: {_those_there(items)}.")
    if texts:
        over = (
            "" if found.reference is None else f" Ratios are those to {found.reference.name}, geometric means of pairs."
        )
        yield Answer("Speed", " ".join(texts) + (over if any(" times" in text for text in texts) else ""))


def best_epoch(found: Ablation) -> Iterator[Answer]:
    """Say after which epoch each arm is at its best."""
    items = [_of_all(cost) for cost in found.costs if cost.best_epoch.n and cost.epochs.n]
    if items:
        yield Answer("Best epoch", f"{found.objective.metric} is best after epoch {joined(items)}.")


def time(found: Ablation) -> Iterator[Answer]:
    """Say how long an update, an epoch and the whole training take."""
    items = [_lasting(cost) for cost in found.costs if cost.seconds.n]
    if items:
        how = "measured in rounds over all arms" if found.rounds else NO_ROUNDS
        yield Answer("Time", f"Training, without evaluations, takes {joined(items)}; {how}.")


def fastest(found: Ablation) -> Iterator[Answer]:
    """Name the arm that needs the least to the target, or in all where there is none, and those that may be as fast."""
    goal = "" if found.target is None else f" to {found.objective.metric} {words.number(found.target)}"
    units = _units(found) or [TRAINING]
    texts = [text for unit in units if (text := _first(found, found.races[unit], unit, goal))]
    compared = [found.races[unit].arms for unit in units if found.races[unit].least]
    missing = [arm.name for arm in found.arms if any(arm.name not in names for names in compared)]
    if missing:
        texts.append(f"Not every seed gets there in {_some(missing)}.")
    if texts:
        yield Answer("Fastest", " ".join(texts))


def _units(found: Ablation) -> list[str]:
    """Return the units to the target; where every arm makes as many updates in an epoch, these say the same."""
    paces = {round(cost.updates.mean / cost.epochs.mean, 6) for cost in found.costs if cost.updates.n and cost.epochs.n}
    return [unit for unit in found.races if unit != TRAINING and (unit != "updates" or len(paces) > 1)]


def _first(found: Ablation, race: Race, unit: str, goal: str) -> str:
    lead = f"{_SUPERLATIVES.get(unit, 'Least seconds of training')}{goal}"
    if not race.least:
        return f"{lead}: not known, for fewer than two arms have every seed there." if goal else ""
    if unit in ("seconds", TRAINING) and not found.rounds:
        return f"{lead}: {race.least}; whether others are as fast is not said, for {NO_ROUNDS}."
    if not race.rivals:
        return f"{lead}: {race.least}; every other arm that can be compared needs more."
    return f"{lead}: {race.least}; may need as little: {_some(race.rivals)}."


def _those_there(items: list[Item]) -> str:
    """Join what arms needed; of many, how many have no median instead of one of them as the largest."""
    there = [item for item in items if math.isfinite(item.value)]
    if len(items) <= NAMED or len(there) == len(items):
        return joined(items)
    short = f"not reached by half of the seeds at {len(items) - len(there)} of {words.count(len(items), 'arm')}"
    return f"{joined(there)}; {short}" if there else short


def _some(names: list[str]) -> str:
    if len(names) > NAMED:
        return f"{len(names)} arms"
    return "; ".join(names)


def _needed(cost: Cost, times: TimeToTarget, race: Race) -> Item:
    missed = f"not reached in {times.missed} of {times.n}"
    if times.median is None:
        return Item(math.inf, cost.arm, missed, missed)
    amount = words.duration(times.median) if times.unit == "seconds" else words.number(times.median)
    own = next((each for each in race.ratios if each.arm == cost.arm), None)
    ratio, said = ("", "") if own is None else _ratio(own)
    inside = ", ".join(part for part in (missed if times.missed else "", ratio, said) if part)
    return Item(times.median, cost.arm, f"{amount} ({inside})" if inside else amount, amount, said)


def _ratio(own: Contrast) -> tuple[str, str]:
    """Write a ratio with its interval, from the logarithms, and what is shown of it."""
    shown, mean = own.difference.shown, math.exp(own.difference.mean)
    if shown is None or not own.difference.sd:
        return f"{mean:.2g} times", ""
    said = {1: "more", -1: "less", 0: "may be equal"}[own.direction]
    return f"{mean:.2g} times, {math.exp(shown.low):.2g} to {math.exp(shown.high):.2g}", said


def _of_all(cost: Cost) -> Item:
    every, best = words.number(cost.epochs.mean), cost.best_epoch
    if best.t is not None:  # no epoch is before the first or after the last
        inside = replace(best.t, low=max(best.t.low, 0.0), high=min(best.t.high, max(cost.epochs.values)))
        best = replace(best, t=inside)
    return Item(best.mean, cost.arm, f"{valued(best)} of {every}", f"{words.score(best.mean)} of {every}")


def _lasting(cost: Cost) -> Item:
    update, epoch, whole = (words.duration(each.mean) for each in (cost.update_sec, cost.epoch_sec, cost.seconds))
    epoch_ends, ends = _ends(cost.epoch_sec), _ends(cost.seconds)
    return Item(
        cost.seconds.mean,
        cost.arm,
        f"{update} an update, {epoch}{epoch_ends} an epoch and {whole}{ends} in all",
        f"{whole} in all, {epoch} an epoch and {update} an update",
    )


def _ends(found: Estimate) -> str:
    if found.shown is None or not found.sd:
        return ""
    low, high = (words.duration(max(end, 0.0)) for end in (found.shown.low, found.shown.high))
    return f" ({low} to {high})"
