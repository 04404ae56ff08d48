"""How the paragraph of an ablation that answers the questions of an assignment is written, and what makes it true.

A topic is followed by what it is about and then by one item per arm; an item is judged by what was named last.
"""

import math

import numpy as np

from tests.benchmarks.judges import SAME, number

TOPICS = (
    "Validation", "Effects", "Fastest", "Final weights", "Test", "Generalization", "Equal training", "Speed",
    "Best epoch", "Time", "Momentum and rate", "Rate", "Parameters",
)  # fmt: skip
TIME = r"[\d.]+ (?:ms|s|min|h|d)(?: [\d.]+ (?:s|min|h))?"
END = r"(?=; |\. |\.?$)"
ARM = rf"at (?P<setting>[^;]+?){END}"
INSIDE = r"(?:may be equal|better|worse|undecided: drift|not compared|higher|lower|larger|smaller|more|less)"


def interval(found, about):
    """The interval of an item holds the true value; of an arm over all of its seeds."""
    values = _values(found, about)
    if values is None:
        return None
    low, high = number(found["low"]), number(found["high"])
    slack = 0.51 * 10.0 ** -len(found["low"].partition(".")[2].partition("e")[0])
    return any(low - slack <= values[place] <= high + slack for place in about.points(found["setting"]))


def ratio(found, about):
    """The interval of a ratio to the reference holds the true one."""
    paces = _paces(found["about"], about)
    if paces is None:
        return None
    low, high = number(found["low"]) * 0.95, number(found["high"]) * 1.05
    return any(low <= paces[place] / paces[0] <= high for place in about.points(found["setting"]))


def verdict(found, about):
    """What is said to be more, less, better or worse than the reference is so."""
    said, values = found["verdict"], _values(found, about)
    if values is None and found["about"] in ("Epochs", "Updates", "Seconds"):
        paces = _paces(found["about"], about)
        values = None if paces is None else np.log(paces)
    sense = {"higher": 1, "larger": 1, "more": 1, "lower": -1, "smaller": -1, "less": -1}.get(said)
    if said in ("better", "worse"):
        sense = (1 if said == "better" else -1) * (1 if about.truth.maximize else -1)
    if values is None or sense is None:
        return None if values is None else True
    gaps = [values[place] - (0.0 if _paired(found) else values[0]) for place in about.points(found["setting"])]
    return any(sense * gap > SAME for gap in gaps)


def fastest(found, about):
    """Every arm that needs the least is named."""
    paces = _paces(found["unit"], about)
    if paces is None:
        return None
    texts = [found["least"], *(found.get("rivals") or "").split("; ")]
    named = {place for text in texts for place in about.points(text)}
    trials = about.table.trials
    lost = set(trials.loc[trials["state"] != "COMPLETE", "point"])
    compared = {place: pace for place, pace in enumerate(paces) if place not in lost}
    return all(place in named for place, pace in compared.items() if pace <= min(compared.values()) * (1 + SAME))


def _paired(found):
    return found["about"] in ("Against", "test")


def _values(found, about):
    """Return by arm what an item is about: differences from the reference where it is about these."""
    facts, kind = about.truth.facts, found["about"]
    if kind == "Against":
        here = np.asarray(about.truth.here)
        return here - here[0]
    if "answers" not in facts:
        return None
    known = {name: np.asarray(values) for name, values in facts["answers"].items()}
    if kind == "test":
        return known["test"] - known["test"][0]
    if kind == "Training minus test":
        return known["training"] - known["test"]
    if kind == "At equal training":
        return known["level"] + 0.5 * facts["answers_level"]
    return known.get(found.get("part") or "")


def _paces(unit, about):
    paces = about.truth.facts.get("paces")
    if paces is None:
        return None
    return np.asarray(paces) if unit in ("Seconds", "Least seconds of training") else np.ones(len(paces))


def level_of(table, metric="train_eval/acc"):
    """Return the lowest value with which a trial ends."""
    return float(np.nanmin(table.trials[metric].astype(float))) if metric in table.trials else math.nan
