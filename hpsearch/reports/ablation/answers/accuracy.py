"""How good the arms are: by the score, at the final weights on every part, and at equal training accuracy."""

import math
from collections.abc import Iterator, Sequence

from hpsearch.base import words
from hpsearch.reports.ablation.answers.texts import Answer, Item, joined, measured, valued
from hpsearch.reports.ablation.contrasts import Contrast
from hpsearch.reports.ablation.equal_training import AtLevel
from hpsearch.reports.ablation.finals import ACCURACY, PARTS, TRAIN, VALID, Final
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.sentences import most_accurate

WEIGHTS = {
    "final": "final weights",
    "restored": "weights that early stopping restores",
    "best": "weights of the best epoch",
}


def accuracy(found: Ablation) -> Iterator[Answer]:
    """Say which arm is the most accurate, which may be as good, and how the others differ from the reference."""
    if found.best is None:
        return
    text = f"{most_accurate(found, found.best)}."
    pairs = [each for each in found.differences if each.difference.n]
    if found.reference is not None and pairs:
        items = [measured(each.arm, each.difference, each.verdict, sign=True) for each in pairs]
        text += f" Against {found.reference.name}, paired, Holm-adjusted at 5 %: {joined(items)}."
    yield Answer("Validation", text)


def final_weights(found: Ablation) -> Iterator[Answer]:
    """Say what the final weights give on the training, the validation and the test part."""
    finals = found.finals
    metric = next(iter(finals.metrics), "")
    if not metric or not any(part != VALID for part in finals.parts):
        return
    items = [_on_parts(each, metric) for each in finals.arms if metric in each.parts.get(VALID, {})]
    yield Answer(
        "Final weights",
        f"Of the {WEIGHTS[finals.weights]}, in evaluation mode (no dropout, no augmentation), mean {metric}: "
        f"{joined(items)}.",
    )


def generalization(found: Ablation) -> Iterator[Answer]:
    """Say how far training and test part are apart, and whether that differs between arms."""
    finals = found.finals
    metric, part = next(iter(finals.metrics), ""), finals.gap_part
    if not part:
        return
    items = [
        measured(each.arm, gap, _than(found, finals.gapped, each.arm), sign=True)
        for each in finals.arms
        if (gap := each.gaps.get(part, {}).get(metric)) is not None
    ]
    yield Answer(
        "Generalization", f"{words.capitalized(PARTS[TRAIN])} minus {PARTS[part]} {metric} is {joined(items)}."
    )


def tested(found: Ablation) -> Iterator[Answer]:
    """Say how the arms differ from the reference on the test part."""
    metric, pairs = next(iter(found.finals.metrics), ""), found.finals.tested
    if found.reference is None or not pairs:
        return
    items = [measured(each.arm, each.difference, _shown(each), sign=True) for each in pairs]
    yield Answer(
        "Test",
        f"Against {found.reference.name}, test {metric} of the {WEIGHTS[found.finals.weights]}, paired, Holm-adjusted "
        f"at 5 %: {joined(items)}.",
    )


def equal_training(found: Ablation) -> Iterator[Answer]:
    """Say how good the arms are where each first reaches the training accuracy at which the lowest one ends."""
    equal = found.equal
    if equal is None:
        return
    items = [_at_level(each, equal.differences) for each in equal.arms]
    name = "accuracy" if equal.metric.endswith(f"/{ACCURACY}") else equal.metric.partition("/")[2]
    yield Answer(
        "Equal training",
        f"At equal training {name} ({words.number(equal.level)} in evaluation mode, the lowest that a trial ends "
        f"with), {found.objective.metric} is {joined(items)}.",
    )


def _on_parts(final: Final, metric: str) -> Item:
    parts = {PARTS[part]: of[metric] for part, of in final.parts.items() if metric in of}
    texts = (
        ", ".join(f"{part} {write(each)}" for part, each in parts.items())
        for write in (valued, lambda each: words.score(each.mean))
    )
    return Item(final.parts[VALID][metric].mean, final.arm, *texts)


def _at_level(each: AtLevel, compared: Sequence[Contrast]) -> Item:
    if not each.reached:
        text = f"not reached by any of {words.count(each.trials, 'seed')}"
        return Item(math.inf, each.arm, text, text)
    own = next((one for one in compared if one.arm == each.arm), None)
    some = "" if each.whole else f"reached by {len(each.reached)} of {each.trials} seeds"
    return measured(each.arm, each.score, some or ("" if own is None else _shown(own)))


def _shown(each: Contrast) -> str:
    return {1: "higher", -1: "lower", 0: "may be equal"}[each.direction] if each.p_holm is not None else ""


def _than(found: Ablation, compared: Sequence[Contrast], arm: str) -> str:
    """Say of a gap how it stands to that of the reference."""
    own = next((each for each in compared if each.arm == arm), None)
    if own is None or own.p_holm is None or found.reference is None:
        return ""
    return {1: "larger", -1: "smaller", 0: "may be equal"}[own.direction]
