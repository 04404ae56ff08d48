"""What must be said of a drawn study and what must not, by what its trials are.

A missing sentence misleads like a false one. The rules read the drawn trials and the truth alone: they know nothing of
how reports find their sentences.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hpsearch.base import words
from hpsearch.base.types import TrialTable
from tests.benchmarks.known_truth import CHANCE, Drawn, Setting, Truth
from tests.benchmarks.said import NOTE, PAGE, README, TERMINAL, Said
from tests.benchmarks.sentence_forms import Claim

if TYPE_CHECKING:
    import pandas as pd

ANSWER, CAVEAT, ONE_PAGE = (README, TERMINAL, PAGE, NOTE), (README, PAGE), (PAGE,)
NAMED, SAME, REVERSED = 6, 1e-9, 0.03
"""So many points are named one by one; a smaller difference is none; one that drift reverses is larger."""


@dataclass(frozen=True)
class Need:
    """What must be said, or must not.

    Attributes:
        kind: of the sentence.
        pattern: what is looked for.
        places: where it stands.
        absent: whether it must not stand there.
    """

    kind: str
    pattern: str
    places: tuple[str, ...] = ANSWER
    absent: bool = False


def held_against(drawn: Drawn, told: list[Said]) -> Iterator[Claim]:
    """Hold what is said of a study against what must be said of it.

    Args:
        drawn: the study.
        told: where, and what; a place of which nothing was read is not asked.

    Yields:
        One claim for each need, false where it is missing at one of its places.
    """
    by_place: dict[str, list[str]] = {}
    for place, text in told:
        by_place.setdefault(place, []).append(text)
    for need in needs(drawn):
        where = [place for place in need.places if place in by_place]
        missed = [place for place in where if _stands(need.pattern, by_place[place]) is need.absent]
        word = "must not stand" if need.absent else "is missing"
        text = f"“{need.pattern}” {word} in {', '.join(missed or where)} of {drawn.tables[0].name}"
        yield Claim(f"{'forbidden' if need.absent else 'required'}: {need.kind}", text, holds=not missed)


def _stands(pattern: str, texts: list[str]) -> bool:
    return any(re.search(pattern, text) for text in texts)


def needs(drawn: Drawn) -> Iterator[Need]:
    """Yield what must be said of a study."""
    if drawn.kind == "comparison":
        return _of_two(drawn)
    if drawn.kind == "claims":
        return _of_claims(drawn)
    trials = Trials(drawn.tables[0], drawn.truths[0])
    return _of_search(trials) if drawn.kind == "search" else _of_ablation(trials)


class Trials:
    """The trials of a study by point: which came to their end, which train.

    Args:
        table: the study.
        truth: what is true of it.
    """

    def __init__(self, table: TrialTable, truth: Truth) -> None:
        self.table, self.truth, self.study = table, truth, table.study
        rows = table.trials
        self.fresh = rows[rows["purpose"] == "confirm"] if "purpose" in rows else rows.iloc[:0]
        self.rows = rows if self.fresh.empty else rows.drop(self.fresh.index)
        self.points = {int(place): own for place, own in self.rows.groupby("point")}
        self.size = max((len(own) for own in self.points.values()), default=0)
        self.config: dict[str, Any] = dict(self.study["config"])

    def lost(self, place: int) -> int:
        """How many trials of a point diverged or ended at chance."""
        return self._fates[place][0]

    def trained(self, place: int) -> int:
        """How many trials of a point came to their end and learnt something."""
        return self._fates[place][1]

    @cached_property
    def _fates(self) -> dict[int, tuple[int, int]]:
        return {place: self._fate(own, self.truth.settings[place]) for place, own in self.points.items()}

    def _fate(self, own: "pd.DataFrame", each: Setting) -> tuple[int, int]:
        done = sum(state == "COMPLETE" for state in own["state"])
        if each.slow:
            return done, 0
        diverged = sum(str(reason).startswith("diverged") for reason in own["reason"])
        middle = (each.mean + CHANCE) / 2
        dead = sum(score < middle for score in own["score"]) if each.how == "dead" and each.fails else 0
        return diverged + dead, done - dead

    @cached_property
    def parted(self) -> list[int]:
        """Points of which some trials train and others are lost."""
        return [place for place in self.points if self.trained(place) and self.lost(place)]

    @cached_property
    def whole(self) -> list[int]:
        """Points that can be ranked: every trial is COMPLETE and trains, or none of the study does."""
        parted = {*self.parted}
        done = [place for place, own in self.points.items()
                if len(own) == self.size and {*own["state"]} == {"COMPLETE"} and place not in parted]  # fmt: skip
        anywhere = any(self.trained(place) for place in self.points)
        return [place for place in done if not (anywhere and self.lost(place))]

    @cached_property
    def alike(self) -> bool:
        """Whether seeds change nothing."""
        return self.truth.sd == 0 and self.size > 1

    def mean(self, place: int) -> float:
        """Mean score of a point."""
        return float(self.points[place]["score"].mean())

    def sd(self, place: int) -> float:
        """Spread of the scores of a point."""
        return float(self.points[place]["score"].std())

    @cached_property
    def spread(self) -> bool:
        """Whether there are seeds that differ at every point that can be ranked."""
        return self.size > 1 and not self.alike and all(self.sd(place) > 0 for place in self.whole)

    @cached_property
    def best(self) -> int | None:
        """The point of the best mean."""
        if not self.whole:
            return None
        return (max if self.truth.maximize else min)(self.whole, key=self.mean)


def _of_search(trials: Trials) -> Iterator[Need]:
    yield from _best_of_search(trials)
    yield from _repeats(trials, "One seed per point|One seed: another", "no spread and no interval can be given")
    yield from _rivals(trials)
    yield from _fresh(trials)
    yield from _along(trials)
    yield from _lost(trials)
    if "steps" in trials.config["trainer"]:
        yield Need("steps in place of epochs", r"Fixed, not searched: .*trainer\.steps 500", CAVEAT)
        yield Need("epochs that are not asked", r"Fixed, not searched: .*trainer\.epochs", CAVEAT, absent=True)
    if "extensions" in trials.study:
        yield Need("extended", r"The range of .* was extended from", CAVEAT)
    if "objectives" in trials.study and trials.whole:
        yield Need("Pareto front", r"The Pareto front of", ANSWER)
    if "weights" in trials.rows:
        yield Need("averaged weights", r"of averaged weights", CAVEAT)
    if "within" in trials.study:
        yield Need("stage", r"A stage of", (NOTE,))
    if trials.rows["score"].notna().any():
        yield Need("what the score is", r"A trial's score is", CAVEAT)


def _best_of_search(trials: Trials) -> Iterator[Need]:
    if not trials.whole:
        yield Need("no answer", r"^No answer")
        yield Need("a best where there is none", r"has the (highest|lowest)", absent=True)
        return
    yield Need("best", r"has the (highest|lowest) |The one setting that was run gives")
    if not any(trials.trained(place) for place in trials.points):
        yield Need("none trains", r"No point trains")
    if len({trials.mean(place) for place in trials.whole}) > 1:
        yield Need("picked by what is quoted", r"was picked by the same", CAVEAT)
    equal = sum(trials.truth.loss(place) < SAME for place in trials.whole)
    if equal > 1 and trials.spread and trials.fresh.empty:
        yield Need("size of optimism", r"it looks better than it is, by about .* on average", CAVEAT)


def _repeats(trials: Trials, one_seed: str, lone: str) -> Iterator[Need]:
    """Yield what must be said of seeds: one, two, more, and such that change nothing."""
    if not trials.whole or not trials.fresh.empty:
        return
    if trials.alike:
        yield Need("seeds change nothing", r"the seeds change nothing: n = 1")
        yield Need("seeds change nothing", r"The seeds change nothing", CAVEAT)
        yield Need("a spread where seeds change nothing", r"mean ± sd", absent=True)
    elif trials.size == 1:
        yield Need("one seed", f"n = 1 seed, so {lone}")
        yield Need("one seed", one_seed, CAVEAT)
        yield Need("a spread of one seed", r"mean ± sd|may be as good|Holm-adjusted p =", absent=True)
    elif trials.size == 2:
        yield Need("intervals need three seeds", r"too few for an interval")
        yield Need("an interval of two seeds", r"sd of n = 2[^()]*interval [\d.]", absent=True)
    elif trials.best is not None and trials.sd(trials.best) > 0:
        yield Need("interval", r"mean ± sd[^()]*95 % (t )?interval [−\d]")


def _rivals(trials: Trials) -> Iterator[Need]:
    if trials.size == 2 and trials.whole:
        yield Need("intervals need three seeds", r"an interval needs 3", CAVEAT)
    if len(trials.whole) < 2 or not trials.spread or not trials.fresh.empty:
        return
    yield Need("those that may be as good", r"may be as good|equally good|(other|ranked) is worse|to be ranked")
    scatter = {place: trials.sd(place) for place in trials.whole}
    far = [place for place, sd in scatter.items()
           if sd > 3 * np.median([*scatter.values()]) and trials.truth.settings[place].sd >= 10]  # fmt: skip
    if far:
        yield Need("too variable", r"Too variable to be ranked", CAVEAT)


def _fresh(trials: Trials) -> Iterator[Need]:
    asked = trials.config["study"].get("confirm", 0)
    if not asked or len(trials.whole) < 2:
        return
    if trials.fresh.empty:
        yield Need("not confirmed", rf"were not trained over fresh seeds \(study\.confirm = {asked}\): \w", CAVEAT)
        return
    own = trials.fresh.groupby("point")["state"].agg(lambda states: (states == "COMPLETE").all())
    if own.any():
        yield Need("over fresh seeds", rf"over {asked} fresh seeds: ")
        yield Need("chosen by which seed", r"it was chosen by seed \d+, as (the|one of the) best of \d+ points, at")
        yield Need("one seed where fresh ones are", r"One seed per point|n = 1 seed", absent=True)
    else:
        yield Need(
            "none came through", r"(?:none of the \d+ best points|the best point) (?:came|did not come) to its end"
        )
    top = trials.best
    if top in own.index and own[top]:
        yield Need("by how much too good", r"over the fresh seeds: .*too good .*95 % t interval", CAVEAT)
    if not own.all():
        yield Need("lost over fresh seeds", r"Not COMPLETE over the fresh seeds: ", CAVEAT)


def _along(trials: Trials) -> Iterator[Need]:
    """Yield what must be said of the values of the hyperparameters: the edge of what was tried, of what trains."""
    if trials.best is None or not trials.fresh.empty:
        return
    best = trials.truth.settings[trials.best].params
    tied = [place for place in trials.whole if trials.mean(place) == trials.mean(trials.best)]
    for key, value in best.items():
        values = [each.params.get(key) for place, each in enumerate(trials.truth.settings) if place in trials.points]
        known = {each for each in values if isinstance(each, int | float)}
        if len(known) < 3 or len(known) < len({*values}):
            continue
        if value in (min(known), max(known)) and value != 0 and len(tied) == 1:
            side = "low" if value == min(known) else "high"
            yield Need("edge of what was tried", f"{words.label(key)} lies at the {side} edge of the values", CAVEAT)
        if value == 0:
            yield Need("beyond 0", r"lies at the low edge", CAVEAT, absent=True)
        if len(best) == 1:
            above = [place for place in trials.points if trials.truth.settings[place].params[key] > value]
            if any(trials.lost(place) and not trials.truth.settings[place].slow for place in above):
                yield Need("first rate that fails", r"seeds? fails? at|[\d.] fails|training fails")


def _lost(trials: Trials) -> Iterator[Need]:
    """Yield what must be said of trials and seeds that did not come to their end, or at chance."""
    states = set(trials.rows["state"])
    for place in trials.parted[:NAMED]:
        n = trials.trained(place) + trials.lost(place)
        name = re.escape(words.settings(trials.truth.settings[place].params))
        yield Need(
            "seeds that train, k of n", rf"{name}: {trials.trained(place)} of {n} (seed|run|trial)s? trains?", CAVEAT
        )
    if states & {"PAUSED", "RUNNING", "WAITING"}:
        yield Need("not finished", r"did not come to an end|has not ended", CAVEAT)
    if "FAILED" in states:
        yield Need("failed", r"\d+ trials? FAILED and counts? for nothing", CAVEAT)
    if "PRUNED" in states:
        yield Need("stopped early", r"\d+ trials? stopped early (is|are) not compared", CAVEAT)
        yield Need("how many were trained to the end", r"\d+ trained to the end", CAVEAT)


def _of_ablation(trials: Trials) -> Iterator[Need]:
    options = trials.config["ablation"]
    tuned = r"Settings tuned for each arm" if options["nuisance"] == "retuned" else r"Held, not retuned|No nuisance"
    yield Need("held or tuned", tuned, CAVEAT)
    yield Need("what the score is", r"A trial's score is", CAVEAT)
    counted = {place: trials.trained(place) for place in trials.points}
    if not any(counted.values()) and all(trials.lost(place) == len(own) for place, own in trials.points.items()):
        yield Need("no answer", r"^No answer|no arm")
        return
    if trials.whole and not trials.parted and set(trials.rows["state"]) == {"COMPLETE"}:
        yield Need("best", r"has the (highest|lowest) mean ")
        yield from _repeats(trials, "One seed per arm says nothing of the spread", "no interval is claimed")
        if len(trials.points) > 1:
            yield Need("against the reference", r"[Aa]gainst the reference|It is the reference|Nothing is compared")
    if len(trials.whole) > 1 and trials.spread and trials.size > 2:
        yield Need("those that may be as good", r"[Mm]ay be as good|As good within|every other arm|to be ranked")
    last = trials.truth.facts.get("last", trials.truth.here)
    gaps = [[means[place] - means[0] for means in (trials.truth.here, last)] for place in trials.points]
    if any(min(gap) < -REVERSED and max(gap) > REVERSED for gap in gaps):
        yield Need("withheld for drift", r"\d undecided: drift")
    name = {place: re.escape(_arm(trials, place)) for place in trials.points}
    for place, own in trials.points.items():
        if (own["state"] != "COMPLETE").all():
            yield Need("an arm without a trial", rf"No trial of {name[place]} finished", CAVEAT)
        elif place in trials.parted:
            n = trials.trained(place) + trials.lost(place)
            yield Need("seeds that train, k of n", rf"(?i){name[place]}: {trials.trained(place)} of {n} ", CAVEAT)
    many = {len(own[own["state"] == "COMPLETE"]) for own in trials.points.values()} - {0}
    if len(many) > 1 and not trials.parted and trials.spread:
        yield Need("unequal seeds", r"The arms have unequal seeds", CAVEAT)


def _arm(trials: Trials, place: int) -> str:
    factors = trials.config["ablation"]["factors"]
    return words.settings({key: trials.truth.settings[place].params[key] for key in factors})


def _of_claims(drawn: Drawn) -> Iterator[Need]:
    for number in drawn.truths[0].facts["claims"]:
        yield Need("verdict of a claim", rf"CLAIM {number}: (supported|not supported|undecided)", (README,))


def _of_two(drawn: Drawn) -> Iterator[Need]:
    both = [Trials(table, truth) for table, truth in zip(drawn.tables, drawn.truths, strict=True)]
    same = both[0].study["objective"] == both[1].study["objective"]
    if not same or not all(each.whole for each in both):
        yield Need("that they cannot be compared", r"The two studies cannot be compared", ONE_PAGE)
        return
    if any(each.size < 2 for each in both):
        yield Need("no interval of one seed", r"no interval can be given", ONE_PAGE)
        return
    yield Need("which is better", r"is better than|The two may be equal, as far as these seeds show", ONE_PAGE)
    yield Need("each best was picked", r"Each best point was picked by the same", ONE_PAGE)
    shared = [set(each.rows["seed"]) for each in both]
    if shared[0] & shared[1]:
        yield Need("paired over shared seeds", r"paired over \d+ seeds", ONE_PAGE)
    else:
        yield Need("pairs without shared seeds", r"paired over", ONE_PAGE, absent=True)
