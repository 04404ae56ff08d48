"""What sources of words with a label each have in common: numbers of words, the vocabulary, the padding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import check_int
from hpsearch.base.steps import NO_LABEL, PADDING, SPECIAL, UNKNOWN, labels
from hpsearch.data.arrays import Arrays, Parts
from hpsearch.data.base import DataSource

SHOWN = 5
"""Names that a note lists."""


@dataclass(frozen=True, kw_only=True)
class Words(DataSource):
    """Sentences of words, each of which has a label; a sample is a sentence.

    Inputs are numbers of words [N, T], targets numbers of labels [N, T], padded behind the end of each sentence (see
    `hpsearch.base.steps`) to the longest one of a part. The vocabulary is that of the training part: what is rarer in
    it than `min_count`, and what only other parts have, is one word, ``<unk>``. What a loss and a metric are means of
    is the labels of all sentences, each counting alike; a sentence is the unit of splits, folds and batches, and where
    uncertainty is told, as the words of one are not independent. Splits are at random: labels are no strata.

    Attributes:
        min_count: words that the training part has less often are unknown ones; from 2 on, training knows such.
    """

    min_count: int = 1
    scaling: str = "none"

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy."""
        super().__post_init__()
        check_int("data.min_count", self.min_count, 1)

    def prepared(self, parts: Sequence[Arrays]) -> list[Arrays]:
        """Return the parts with the numbers that the training part's vocabulary gives their words, trimmed."""
        train = parts[0]
        counts = np.bincount(train.x.ravel(), minlength=len(train.vocabulary))
        common = [word for word in np.argsort(-counts, kind="stable").tolist() if counts[word] >= self.min_count]
        kept = [word for word in common if word > UNKNOWN]
        number = np.full(len(train.vocabulary), UNKNOWN)
        number[PADDING], number[kept] = PADDING, len(SPECIAL) + np.arange(len(kept))
        names = (*SPECIAL, *(train.vocabulary[word] for word in kept))
        return [_trimmed(replace(part, x=number[part.x], vocabulary=names)) for part in parts]

    def read(self, test: bool = False, fold: int = 0, seed: int = 0) -> Parts:
        """Read and split the sentences, see `DataSource.read`, and note what training does not know.

        Args:
            test: read the test part as well.
            fold: which fold is the validation part, where there are folds.
            seed: of the trial.

        Returns:
            The sentences of each part.
        """
        parts = super().read(test, fold, seed)
        return replace(parts, notes=(*parts.notes, *_unknown(parts)))


def numbered(
    words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], vocabulary: Sequence[str], classes: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers [N, T] of words and of tags, padded.

    Args:
        words: of each sentence.
        tags: of each sentence, as many; each of them is a class.
        vocabulary: the words, `SPECIAL` first; others are unknown.
        classes: the tags.
    """
    longest = max(map(len, words), default=0)
    x = np.full((len(words), longest), PADDING, np.int64)
    y = np.full((len(words), longest), NO_LABEL, np.int64)
    real = np.arange(longest) < np.array([len(each) for each in words])[:, None]
    place, number = {each: i for i, each in enumerate(vocabulary)}, {each: i for i, each in enumerate(classes)}
    x[real] = [place.get(word, UNKNOWN) or UNKNOWN for word in chain.from_iterable(words)]
    y[real] = [number[tag] for tag in chain.from_iterable(tags)]
    return x, y


def vocabulary_of(words: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the words of sentences, sorted, behind those that stand for none."""
    return (*SPECIAL, *sorted(set(chain.from_iterable(words)) - set(SPECIAL)))


def _trimmed(part: Arrays) -> Arrays:
    longest = int((part.x != PADDING).sum(1).max())
    return replace(part, x=part.x[:, :longest], y=part.y[:, :longest])


def _unknown(parts: Parts) -> tuple[str, ...]:
    """Return what is to be said of words and labels that the training part does not have."""
    notes, others = [], {"valid": parts.valid, **({} if parts.test is None else {"test": parts.test})}
    for name, part in {"train": parts.train, **others}.items():
        if share := (part.x == UNKNOWN).sum() / (part.x != PADDING).sum():
            notes.append(f"{share:.1%} of the words of {name} are unknown")
    known = set(labels(parts.train.y).tolist())
    told = [n for n in sorted({n for p in others.values() for n in labels(p.y).tolist()}) if n not in known]
    if told:
        names = ", ".join(parts.train.class_names[n] for n in told[:SHOWN]) + ", ..." * (len(told) > SHOWN)
        notes.append(f"no training sentence has the label{'s' * (len(told) > 1)} {names}: it cannot be learned")
    return tuple(notes)
