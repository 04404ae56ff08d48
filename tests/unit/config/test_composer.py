"""What a study's file sets in options that are not chosen."""

import pytest

from hpsearch.config.composer import foreign_keys, without_keys
from hpsearch.config.words import parse_word

PLAIN = {"model": {"width": 1}, "regularizer": {}}


@pytest.mark.parametrize(
    ("raw", "words", "keys"),
    [
        ({"model": {"width": 2}, "regularizer": {}}, [], []),
        ({"model": {"width": 1, "depth": 3}}, [], ["model.depth"]),
        ({"model": {"width": 1, "depth": 3}}, ["+model.depth=3"], []),
        ({"model": {"width": 1, "depth": 3}}, ["model.depth=3"], ["model.depth"]),
        ({"model": {"width": 1, "deep": {"a": 1, "b": 2}}}, ["+model.deep.a=1"], ["model.deep.b"]),
        ({"regularizer": {"l2": {"strength": 1}}}, [], ["regularizer.l2.strength"]),
        ({"study": {"seeds": 1}, "space": {"model.width": "choice(1)"}, "nuisance": {"x": 1}}, [], []),
    ],
)
def test_keys_that_no_chosen_option_has(raw, words, keys):
    assert foreign_keys(PLAIN, raw, [parse_word(word) for word in words]) == keys


@pytest.mark.parametrize(
    ("raw", "keys", "rest"),
    [
        ({"model": {"width": 1, "depth": 3}}, ["model.depth"], {"model": {"width": 1}}),
        ({"regularizer": {"l2": {"strength": 1}}}, ["regularizer.l2.strength"], {"regularizer": {}}),
        ({"other": {"deep": {"a": 1, "b": 2}}}, ["other.deep.a"], {"other": {"deep": {"b": 2}}}),
        ({"other": {"deep": {"a": 1}}}, ["other.deep.a"], {}),
    ],
)
def test_what_is_left_without_them(raw, keys, rest):
    assert without_keys(raw, PLAIN, keys) == rest
    assert rest != raw
