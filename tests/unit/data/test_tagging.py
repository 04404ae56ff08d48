"""The generated task: what the best models of each kind get right, against what the docstring says."""

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.data.tagging import CUES, PLACES, TAGS, Tagging

MANY = 20_000


@pytest.fixture(scope="module")
def drawn():
    """Sentences as words and tags."""
    arrays = Tagging(sentences=MANY, noise=0.04).arrays(test=False)
    real = arrays.y >= 0
    words = [[arrays.vocabulary[w] for w in row[r]] for row, r in zip(arrays.x, real, strict=True)]
    return words, [[TAGS[t] for t in row[r]] for row, r in zip(arrays.y, real, strict=True)]


def places_of(words):
    """Return first word, words and role told of each place, by its cue."""
    known, found, at = {place[0]: len(place) for each in PLACES for place in each}, [], 0
    while at < len(words):
        if words[at] in known:
            end = at + known[words[at]]
            before, behind = words[at - 1] if at else "", words[end] if end < len(words) else ""
            told = CUES["before"].index(before) if before in CUES["before"] else CUES["behind"].index(behind)
            found.append((at, end, told, before in CUES["before"]))
            at = end
        else:
            at += 1
    return found


def best(words, sees):
    """Label a sentence as the best model does that sees both sides, the left, or no order at all."""
    tags, places = ["O"] * len(words), places_of(words)
    for number, (start, end, told, before) in enumerate(places):
        known = sees == "both" or (sees == "left" and (before or number == 1))
        role = ("origin", "destination")[told if known else 0]
        tags[start:end] = [f"{'I' if place else 'B'}-{role}" for place in range(end - start)]
    return tags


@pytest.mark.parametrize(
    ("sees", "share"),
    [("both", 1 - 3 / 8 * 0.04), ("left", 1 - 3 / 8 * (1 / 8 + 3 / 4 * 0.04)), ("none", 1 - 3 / 8 / 2)],
)
def test_the_best_models_have_the_accuracy_that_is_said(drawn, sees, share):
    right = np.array([sum(a == b for a, b in zip(best(w, sees), t, strict=True)) for w, t in zip(*drawn, strict=True)])
    count = np.array([len(w) for w in drawn[0]])
    ratio = right.sum() / count.sum()
    error = np.std(right - ratio * count, ddof=1) / np.sqrt(MANY) / count.mean()
    assert abs(ratio - share) < 4 * error
    assert f" {round(share, 3 if sees != 'none' else 4)}\n" in Tagging.__doc__


def test_sentences_are_as_said(drawn):
    words, tags = drawn
    assert np.mean([len(each) for each in words]) == pytest.approx(8, abs=0.05)
    assert np.mean([tag == "O" for each in tags for tag in each]) == pytest.approx(5 / 8, abs=0.005)
    assert all(sorted(tag for tag in each if tag[0] == "B") == ["B-destination", "B-origin"] for each in tags)
    swapped = [t != best(w, "both") for w, t in zip(words, tags, strict=True)]
    assert np.mean(swapped) == pytest.approx(0.04, abs=4 * np.sqrt(0.04 * 0.96 / MANY))


def test_the_same_draw_gives_the_same_sentences():
    first, again, other = (Tagging(sentences=50, draw=draw).arrays(test=False) for draw in (0, 0, 1))
    assert np.array_equal(first.x, again.x)
    assert first.x.shape != other.x.shape or not np.array_equal(first.x, other.x)
    assert np.array_equal(Tagging(sentences=20).arrays(False).y[:, :4], first.y[:20, :4])


@pytest.mark.parametrize(("key", "value"), [("noise", 0.5), ("sentences", 2), ("draw", -1), ("min_count", 0)])
def test_what_makes_no_data_is_refused(key, value):
    with pytest.raises(ConfigError, match=rf"data\.{key} = {value}"):
        Tagging(**{key: value})
