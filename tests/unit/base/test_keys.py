"""Which root keys belong to what."""

import pytest
import yaml

from hpsearch.base.keys import NOT_SEARCHED, RUN_TIME, SEARCH_KEYS, UNNAMED, is_single
from hpsearch.config.groups import CONF


def test_every_set_of_keys_holds_those_of_a_run():
    assert RUN_TIME < UNNAMED
    assert RUN_TIME < SEARCH_KEYS
    assert NOT_SEARCHED.keys() > SEARCH_KEYS | UNNAMED


def test_where_and_how_much_to_run_is_neither_searched_nor_named():
    assert {"launcher", "tracker", "storage", "budget", "cluster"} == RUN_TIME


def test_every_key_is_a_root_key_of_the_configuration():
    defaults = yaml.safe_load((CONF / "config.yaml").read_text())
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    assert SEARCH_KEYS - {"stages", "space", "nuisance", "cluster"} <= groups | defaults.keys()


@pytest.mark.parametrize(
    ("name", "single"), [("single", True), ("single_2", True), ("singles", False), ("single_", False)]
)
def test_folders_of_single_trials_are_told_by_name(name, single):
    assert is_single(name) == single
