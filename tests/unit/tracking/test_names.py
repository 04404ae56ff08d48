"""Names in a tracking store: MLflow takes each, and none stands for two."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpsearch.tracking import names
from tests.support.names import KINDS

PIECES = st.sampled_from([
    "_x41_",
    "_x",
    "_x4",
    "_",
    "x",
    "/",
    "//",
    ".",
    "..",
    "@",
    "é",
    "损",
    "a",
    "41",
    "-",
    " ",
    "\n",
    "\0",
])
KEYS = st.text(max_size=40) | st.lists(PIECES, max_size=8).map("".join)


def unescaped(made):
    """Return the key of a name, slowly."""
    if made == "_x_":
        return ""
    return re.sub(r"_x([0-9a-f]+)_", lambda found: chr(int(found[1], 16)), made)


def check_taken(made):
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

    for check in (_validate_metric_name, _validate_param_name, _validate_tag_name):
        check(made)
    assert 0 < len(made) <= 250


@settings(deadline=None, max_examples=300)
@given(KEYS)
@example("_x41@")
@example("_x41//")
@example("_x2f/")
@example("_x_")
@example("")
@example("..a")
@example("a/./../b/")
def test_mlflow_takes_every_name_and_the_key_can_be_read_from_it(key):
    made = names.name(key)
    check_taken(made)
    assert unescaped(made) == key
    for other in (names.metric_name(key), names.fact_name(key), names.end_name(key)):
        check_taken(other)
    assert unescaped(names.metric_name(key)) == key
    assert unescaped(names.end_name(key).removeprefix("end/")) == key


@pytest.mark.parametrize(
    "key", ["valid/acc top-5:x.y_z", "准确率", "größe", "pos_x", "grad_x_norm/a", ".hidden", "a.b.", "x" * 250]
)
def test_what_mlflow_takes_stays(key):
    assert names.name(key) == names.metric_name(key) == key


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("map@50", "map_x40_50"),
        ("model=lenet/größe (%)", "model_x3d_lenet/größe _x28__x25__x29_"),
        ("a//b/", "a/_x2f_b_x2f_"),
        ("../up", "_x2e_./up"),
        ("_x41_", "_x5f_x41_"),
        ("", "_x_"),
    ],
)
def test_other_characters_are_written_by_their_code(key, made):
    assert names.name(key) == made


def test_names_that_are_too_long_differ_by_their_digest():
    keys = ["m" * 251, "m" * 252, "m" * 249 + "@", "m" * 249 + "%"]
    made = [names.name(key) for key in keys]
    assert {len(each) for each in made} == {250} and len({*made}) == 4
    assert all(re.fullmatch(r"m{233}-[0-9a-f]{16}", each) for each in made[:2])
    ends = [names.end_name(key) for key in keys]
    assert {len(each) for each in ends} == {250} and len({*ends}) == 4


@pytest.mark.parametrize("key", sorted({*names.OWN_METRICS, "end/valid/acc", "curvature/sharpness"}))
def test_a_metric_of_a_user_is_none_of_ours(key):
    made = names.metric_name(key)
    assert made != key and not made.startswith((names.END, names.AFTERWARDS)) and unescaped(made) == key


def test_hyperparameters_of_lists_are_named_by_dots_unless_that_is_another_one():
    assert names.param_names(["model.hidden[0]", "lr"]) == {"model.hidden[0]": "model.hidden.0", "lr": "lr"}
    both = names.param_names(["h[0]", "h.0"])
    assert both == {"h[0]": "h_x5b_0_x5d_", "h.0": "h.0"}


def test_the_kinds_are_many_and_differ():
    assert len({*KINDS.values()}) == len(KINDS) >= 40
    made = [names.metric_name(key) for key in KINDS.values()]
    assert len({*made}) == len(made)
