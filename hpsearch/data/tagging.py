"""A generated task of slot filling: whence and whither, told by words before and behind a place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hpsearch.base.errors import check_float, check_int
from hpsearch.base.rng import address
from hpsearch.data.arrays import Arrays
from hpsearch.data.words import Words, numbered, vocabulary_of

Picked = TypeVar("Picked")

ROLES = ("origin", "destination")
CUES = {"before": ("from", "to"), "behind": ("departing", "arriving")}
"""Words that tell the role of a place, by where they stand."""
PLACES = (
    (("paris",), ("oslo",), ("cairo",), ("lima",), ("delhi",)),
    (("new", "york"), ("san", "diego"), ("cape", "town"), ("tel", "aviv"), ("hong", "kong")),
)
"""Places of one word and of two."""
FILLERS = ("show", "me", "flights", "please", "cheap", "nonstop", "today", "morning")
MOST_FILLERS = 2
"""In each of the three gaps around two places."""
TAGS = ("O", *(f"{prefix}-{role}" for role in ROLES for prefix in "BI"))


@dataclass(frozen=True, kw_only=True)
class Tagging(Words):
    """Sentences in which two places are to be found, and told apart by the words around them.

    One place is an origin and one a destination, either first; each has one word or two, as often, and its role is told
    by a word right before it (``from``, ``to``) or right behind it (``departing``, ``arriving``), as often. There are 0
    to 2 other words in front of, between and behind them. In a share `noise` of the sentences the two roles are swapped
    against what the words say. Words of a place have the labels B- and I- with its role, all others O: of 8 words on
    average 3 are of places.

    What is the best possible share of words labelled right, for a noise v below 1/2 (0.04):

    =================================  ===============================  =======
    a model that sees                  share                            default
    =================================  ===============================  =======
    both sides, and the order          1 - 3/8 v                        0.985
    what is before a word              1 - 3/8 (1/8 + 3/4 v)            0.942
    which words there are, no order    1 - 3/8 · 1/2                    0.8125
    a word alone                       1 - 3/8 · 1/2                    0.8125
    nothing (always O)                 5/8                              0.625
    =================================  ===============================  =======

    From the left a place cannot be told only where it is the first and its word comes behind it (a quarter of all); the
    second is what the first is not. Without the order each sentence is as likely as with its roles swapped.

    Attributes:
        sentences: how many.
        noise: share of them whose roles are swapped, in [0, 1/2).
        draw: seed of the sentences.
    """

    sentences: int = 1000
    noise: float = 0.04
    draw: int = 0
    batch_size: int | str = 32

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy."""
        super().__post_init__()
        check_int("data.sentences", self.sentences, 3)
        check_float("data.noise", self.noise, "[0, 0.5)")
        check_int("data.draw", self.draw, 0)

    def arrays(self, test: bool) -> Arrays:  # noqa: ARG002 - it has no test part of its own
        """Draw all sentences."""
        words, tags = zip(*(_sentence(draws, self.noise) for draws in self._draws()), strict=True)
        vocabulary = vocabulary_of(words)
        return Arrays(*numbered(words, tags, vocabulary, TAGS), TAGS, vocabulary=vocabulary)

    def _draws(self) -> Iterator[Iterator[float]]:
        """Yield uniform numbers in [0, 1) for each sentence, more than it needs."""
        bits = np.random.PCG64(address(self.draw, "tagging")).random_raw(self.sentences * _NUMBERS)
        uniform = (bits >> np.uint64(11)) * 2.0**-53
        yield from map(iter, uniform.reshape(self.sentences, _NUMBERS).tolist())


_NUMBERS = 2 + 2 * 3 + 3 * (1 + MOST_FILLERS)  # an order and a swap, two places, three gaps


def _sentence(draws: Iterator[float], noise: float) -> tuple[list[str], list[str]]:
    """Return the words and the tags of a sentence."""
    words, tags = _gap(draws)
    first, swapped = int(2 * next(draws)), next(draws) < noise
    for told in (first, 1 - first):
        place, behind = _pick(draws, PLACES[int(2 * next(draws))]), next(draws) < 0.5
        cue, role = CUES["behind" if behind else "before"][told], ROLES[1 - told if swapped else told]
        slot = [f"{'I' if number else 'B'}-{role}" for number in range(len(place))]
        words += [*place, cue] if behind else [cue, *place]
        tags += [*slot, "O"] if behind else ["O", *slot]
        more = _gap(draws)
        words, tags = words + more[0], tags + more[1]
    return words, tags


def _gap(draws: Iterator[float]) -> tuple[list[str], list[str]]:
    """Return some other words, and their tags."""
    count = int((MOST_FILLERS + 1) * next(draws))
    return [_pick(draws, FILLERS) for _ in range(count)], ["O"] * count


def _pick(draws: Iterator[float], among: Sequence[Picked]) -> Picked:
    return among[int(len(among) * next(draws))]
