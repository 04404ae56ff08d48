"""What makes a clause of a report true: each judge holds what was read against the truth of the study.

A judge is given the named parts of the clause, the setting that was named last among them, and what it is about. It
returns whether the clause is true, None where it claims nothing, or for an estimate what is said and what is true.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpsearch.base import words
from hpsearch.base.types import TrialTable
from tests.benchmarks.known_truth import CHANCE, Setting, Truth, trains

if TYPE_CHECKING:
    import pandas as pd

SAME = 1e-9


@dataclass(frozen=True)
class Subject:
    """What a sentence is about.

    Attributes:
        truth: what is true of the study.
        table: its trials.
        other: truth of the second study of a comparison.
        variable: what was said to scatter too much to be ranked: nothing else is claimed of it.
    """

    truth: Truth
    table: TrialTable
    other: Truth | None = None
    variable: frozenset[str] = frozenset()

    @property
    def trials(self) -> "pd.DataFrame":
        """The trials that points are ranked by: those over fresh seeds, where a point has all of them COMPLETE."""
        rows = self.table.trials
        if "purpose" not in rows:
            return rows
        fresh = rows[rows["purpose"] == "confirm"]
        whole = fresh.groupby("point")["state"].agg(lambda states: (states == "COMPLETE").all())
        return fresh if whole.any() else rows[rows["purpose"] != "confirm"]

    def points(self, text: str) -> list[int]:
        """Return the points that a text names: all of its settings, or the value of the only one."""
        alone = text == "The one setting"
        return [place for place, each in enumerate(self.truth.settings) if alone or text in _names(each)]

    def value(self, place: int) -> float:
        """Return the value of the only hyperparameter of a point."""
        return next(iter(self.truth.settings[place].params.values()))


def _names(each: Setting) -> set[str]:
    params = {key: value for key, value in each.params.items() if value is not None}
    factors = {key: value for key, value in params.items() if key != "optimizer.lr"}
    names = {words.settings(params), words.settings(each.params), words.settings(factors)}
    if "optimizer.lr" in params and len(params) == 1:
        names.discard("")
    if len(params) == 1:
        (key, value), *_ = params.items()
        sentence = words.setting(key, value)
        names |= {sentence, sentence[0].upper() + sentence[1:], words.number(value)}
    return names | {name[:1].upper() + name[1:] for name in names}


def number(text: str) -> float:
    """Return a number as it is written for people."""
    return float(text.replace(words.MINUS, "-"))


def best_mean(found, about):
    """The named point has the best mean of those whose every trial is COMPLETE."""
    places = about.points(found["setting"])
    trials = about.trials
    whole = trials.groupby("point").filter(lambda rows: (rows["state"] == "COMPLETE").all())
    means = whole.groupby("point")["score"].mean()
    best = means.max() if about.truth.maximize else means.min()
    return any(abs(means.get(place, np.nan) - best) <= SAME * max(1.0, abs(best)) for place in places)


def lone_best(found, about):
    """Nothing else is as good: what a headline says that names one point and no other."""
    return sum(about.truth.loss(place) <= SAME for place in range(len(about.truth.settings))) < 2


def covers(found, about):
    """The interval holds the true mean of the point that was named before it."""
    truth = about.truth
    means = truth.means if found.get("samples") else truth.here
    slack = 0.51 * 10.0 ** -len(found["low"].partition(".")[2].partition("e")[0]) if "e" not in found["low"] else 0.0
    low, high = number(found["low"]) - slack, number(found["high"]) + slack
    places = about.points(found["setting"])
    return any(
        low <= mean <= high for place in places for mean in (means[place], _over_all(means[place], place, about))
    )


def _over_all(mean, place, about):
    """The mean over all seeds, those that end at chance among them."""
    each = about.truth.settings[place]
    return mean if each.how != "dead" else (1 - each.fails) * mean + each.fails * CHANCE


def others_worse(found, about):
    return _none_left_out(set(about.points(found["setting"])), about)


def span(found, about):
    low, high = number(found["low"]), number(found["high"])
    kept = {place for place in range(len(about.truth.settings))
            if low * 0.995 <= about.value(place) <= high * 1.005 or about.value(place) == low}  # fmt: skip
    return _none_left_out(kept | set(about.points(found["setting"])), about)


def few(found, about):
    named = {place for text in re.split(", | and ", found["list"]) for place in about.points(text)}
    return _none_left_out(named | set(about.points(found["setting"])), about)


def arms(found, about):
    """Every arm that is not named is worse."""
    named = {place for text in found["arms"].split("; ") for place in about.points(text)}
    return _none_left_out(named | set(about.points(found["setting"])), about)


def effect(found, about):
    """Arms differ at all."""
    return max(about.truth.here) - min(about.truth.here) > SAME


def equally_good(found, about):
    """None of the points named is worse than the best by the margin."""
    named = [place for text in found["named"].split("; ") for place in about.points(text)]
    return all(about.truth.loss(place) < number(found["margin"]) * 1.005 for place in named)


def count(found, about):
    best = sum(about.truth.loss(place) <= SAME for place in compared(about))
    return best <= int(found["count"]) + 1


def compared(about):
    """Return the points that can be compared: every trial of them is COMPLETE, and most of their seeds train."""
    trials = about.trials
    whole = (
        trials.groupby("point").filter(lambda rows: (rows["state"] == "COMPLETE").all() and len(rows) == size)
        if (size := trials.groupby("point").size().max())
        else trials
    )
    scores = {int(place): rows["score"].tolist() for place, rows in whole.groupby("point")}
    return [
        place
        for place, each in enumerate(about.truth.settings)
        if place in scores and trains(each) and not _names(each) & about.variable and not _parted(each, scores[place])
    ]


def _parted(each, scores):
    """Whether some seeds of a point stay at chance: it is not ranked."""
    return each.how == "dead" and each.fails > 0 and min(scores) < (each.mean + CHANCE) / 2


def _none_left_out(kept, about):
    return not any(about.truth.loss(place) <= SAME for place in compared(about) if place not in kept)


def trains_between(found, about):
    """At every value tried in between most seeds train; nothing is known where the code raised an error."""
    low, high = number(found["low"]), number(found.get("high") or found["low"])
    inside = [each for each in about.truth.settings if low * 0.995 <= _main(about, each) <= high * 1.005]
    return all(trains(each) for each in inside if each.how != "error")


def slow_up_to(found, about):
    """At every value tried up to there training is too slow."""
    high = number(found["high"])
    return all(each.slow for each in about.truth.settings if _main(about, each) <= high * 1.005)


def edge(found, about):
    """The interval meets the gap between the last value at which most seeds train and the first at which most fail."""
    low = number(found.get("low") or found.get("from") or "0")
    high = number(found["high"] if "high" in found else found["to"]) if {"high", "to"} & set(found) else np.inf
    values = sorted((_main(about, each), each.fails) for each in about.truth.settings)
    inside = max((value for value, fails in values if fails < 0.5), default=-np.inf)
    outside = min((value for value, fails in values if fails >= 0.5), default=np.inf)
    return low <= outside * 1.005 and high >= min(inside, outside) * 0.995


def _main(about, each):
    key = next((key for key in ("optimizer.lr", "args.lr") if key in each.params), next(iter(each.params)))
    value = each.params[key]
    return value if isinstance(value, int | float) else np.nan


def frontier(found, about):
    """Beyond the edge most points fail, on this side most train."""
    edge, above = number(found["value"]), found["side"] == "above"
    beyond = [(_main(about, each) > edge) == above for each in about.truth.settings]
    fails = np.asarray([each.fails for each in about.truth.settings])
    beyond = np.asarray(beyond)
    return bool(fails[beyond].mean() >= 0.5 > fails[~beyond].mean())


def optimism(found, about):
    """What the best mean is too good by, on average."""
    means = about.trials.groupby("point")["score"].mean()[compared(about)]
    if means.empty:
        return None
    sign = 1.0 if about.truth.maximize else -1.0
    best = (sign * means).idxmax()
    return number(found["size"]), float(sign * (means[best] - about.truth.here[int(best)]))


def matters(found, about):
    """The key changes the truth."""
    return _changes(about, found["key"])


def _changes(about, name):
    keys = [key for key in about.truth.settings[0].params if words.label(key) in name]
    means = np.asarray(about.truth.means) - np.asarray([each.fails for each in about.truth.settings])
    values = [[each.params.get(key) for key in keys] for each in about.truth.settings]
    if np.ptp(means) <= SAME or not keys:
        return False
    numbers = np.asarray([[v if isinstance(v, int | float) else hash(v) % 97 for v in row] for row in values], float)
    others = [key for key in about.truth.settings[0].params if key not in keys]
    order = np.lexsort(numbers.T)
    # Points with alike values of the keys have alike means, whatever the other keys are.
    within = np.abs(np.diff(means[order])).mean()
    return not others or within < 0.5 * np.abs(np.diff(np.random.default_rng(0).permutation(means))).mean()


def hardly_searched(found, about):
    """Less than five points are as good as the noise of one seed allows."""
    noise = 0.25 * about.truth.sd if not about.truth.settings[0].params.get("valid") else 0.0
    return sum(about.truth.loss(place) <= max(noise, number(found["tolerance"])) for place in compared(about)) < 5


def can_extend(found, about):
    """There are values beyond the edge: none below a lowest value of 0."""
    return found["side"] == "high" or min(_main(about, each) for each in about.truth.settings) != 0


def verdict(found, about):
    """An arm said to be better or worse than the reference is so."""
    return _differs(about, about.points(found["arm"]), found["verdict"])


def _differs(about, places, verdict):
    if verdict not in ("better", "worse"):
        return True
    sign = 1.0 if about.truth.maximize else -1.0
    if about.other is None:
        known = (about.truth.here, about.truth.facts.get("last", about.truth.here))
        gaps = [sign * min((means[place] - means[0] for means in known), key=lambda gap: sign * gap * _sense(verdict))
                for place in places]  # fmt: skip
    else:
        gaps = [sign * (about.other.here[place] - about.truth.here[place]) for place in places]
    return any(gap > SAME if verdict == "better" else gap < -SAME for gap in gaps)


def _sense(verdict):
    return 1.0 if verdict == "better" else -1.0


def _digit(text):
    """One of the last digit of a number as it is written."""
    digits, _, power = text.replace(words.MINUS, "-").partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def too_good(found, about):
    """The interval holds what the score of a point on the first seed is more than its true mean."""
    low, high = number(found["low"]), number(found["high"])
    slack, near = _digit(found["low"]), _digit(found["at"])
    sign = 1.0 if about.truth.maximize else -1.0
    scores = about.table.trials.loc[about.table.trials["purpose"] != "confirm", ["point", "score"]]
    gaps = [sign * (score - about.truth.here[int(place)]) for place, score in scores.itertuples(index=False)
            if abs(score - number(found["at"])) <= near]  # fmt: skip
    return any(low - slack <= gap <= high + slack for gap in gaps)


def difference(found, about):
    """The interval of a paired difference holds the true one."""
    low, high = number(found["low"]), number(found["high"])
    slack = 0.51 * 10.0 ** -len(found["low"].partition(".")[2])
    return any(
        low - slack <= about.truth.here[place] - about.truth.here[0] <= high + slack
        for place in about.points(found["setting"])
    )


def study_better(found, about):
    """The best points of two studies differ as it is said; both studies are as good as their best truths."""
    sign = 1.0 if about.truth.maximize else -1.0
    first, second = (max(sign * mean for mean in each.here) for each in (about.truth, about.other))
    return (first - second if found["better"] in ("first", "sweep", "ablation.arms") else second - first) > SAME


def share(found, about):
    """Clopper and Pearson's interval holds the share of seeds that train."""
    low, high = number(found["low"]) / 100 - 0.006, number(found["high"]) / 100 + 0.006
    settings = [about.truth.settings[place] for place in about.points(found["setting"])]
    return any(low <= (0.0 if each.slow else 1 - each.fails) <= high for each in settings)


def claimed(found, about):
    """A claim that is supported is right, one that is not supported is wrong; undecided says nothing."""
    known = about.truth.facts.get("claims", {}).get(int(found["claim"]))
    if known is None or found["verdict"].startswith("undecided"):
        return None
    return known is (found["verdict"] == "supported")


def state_count(found, about):
    """So many trials are in this state."""
    states = about.table.trials["state"].value_counts()
    return int(found["count"]) == int(states.get(found["state"].upper(), 0))
