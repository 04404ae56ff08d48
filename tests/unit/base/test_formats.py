"""The format of what is kept: older content is brought up to date step by step, newer is refused in one line."""

import pytest

from hpsearch.base import formats
from hpsearch.base.errors import StorageError
from hpsearch.base.formats import FORMAT, KEY, TAG, stamped, untagged, upgraded

NO_FORMATS = ("1", "x", -1, 0, True, False, None, 1.0, [1], 10**30 * -1)


def test_content_of_this_format_and_of_the_first_one_without_a_number_stay_as_they_are():
    content = stamped({"a": 1})
    assert content == {"a": 1, KEY: FORMAT}
    assert upgraded(content, "event", "file") is content
    assert upgraded({"a": 1}, "event", "file")["a"] == 1


@pytest.mark.parametrize("newer", [FORMAT + 1, 10**30])
def test_newer_content_is_refused_in_one_line(newer):
    with pytest.raises(StorageError) as refused:
        upgraded({KEY: newer}, "event", "events/0-0-0.jsonl")
    assert str(refused.value) == (
        f"events/0-0-0.jsonl: is of format {newer}, and this hpsearch reads formats up to {FORMAT}: update hpsearch"
    )


@pytest.mark.parametrize("found", NO_FORMATS, ids=repr)
def test_what_is_no_number_of_a_format_is_refused(found):
    with pytest.raises(StorageError, match=r"^file: format = .* is no format: must be a whole number from 1 on"):
        upgraded({KEY: found}, "event", "file")


def test_older_content_goes_through_every_step_of_its_kind_in_order(monkeypatch):
    steps = {
        ("event", 1): lambda content: {**content, "said": "1"},
        ("event", 3): lambda content: {**content, "said": content["said"] + "3"},
        ("study", 2): lambda _: pytest.fail("of another kind"),
    }
    monkeypatch.setattr(formats, "FORMAT", 4)
    monkeypatch.setattr(formats, "UPGRADES", steps)
    assert upgraded({"a": 0}, "event", "file") == {"a": 0, "said": "13", KEY: 4}
    assert upgraded({"said": "", KEY: 2}, "event", "file") == {"said": "3", KEY: 4}
    assert upgraded({"a": 0, KEY: 4}, "event", "file") == {"a": 0, KEY: 4}


def test_tags_hold_their_format_as_a_text_or_a_number():
    assert untagged({TAG: str(FORMAT), "a": "b"}, "run", "run 'x'")["a"] == "b"
    assert untagged({TAG: FORMAT}, "search", "study 'x'")[KEY] == FORMAT
    assert untagged({"a": "b"}, "run", "run 'x'")["a"] == "b"
    for newer in (str(FORMAT + 1), FORMAT + 1):
        with pytest.raises(StorageError, match=r"^run 'x': is of format 2, .*: update hpsearch$"):
            untagged({TAG: newer}, "run", "run 'x'")
    for no_format in ("pt", "-1", "", "²", True):
        with pytest.raises(StorageError, match="is no format"):
            untagged({TAG: no_format}, "run", "run 'x'")
