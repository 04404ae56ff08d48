"""Settings files with other values, in each format."""

import json
import tomllib

import pytest
import yaml

from hpsearch.base.errors import ConfigError
from hpsearch.trial import settings_file

CONTENT = {
    "name": 'a "b" é', "deep": {"lr": 0.1, "on": True, "more": {"sizes": [1, 2], "a b": "x"}}, "n": 3, "e": 1e-9
}  # fmt: skip
LOADS = {".yaml": yaml.safe_load, ".json": json.loads, ".toml": tomllib.loads}


@pytest.mark.parametrize("ending", LOADS)
def test_a_key_is_replaced_and_all_else_stays(ending, tmp_path):
    file, copy = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    settings_file.write(file, CONTENT)
    assert LOADS[ending](file.read_text(encoding="utf-8")) == CONTENT
    settings_file.write(copy, settings_file.replaced(file, {"deep.lr": 1e-5, "deep.more.sizes": [5]}))
    changed = LOADS[ending](copy.read_text(encoding="utf-8"))
    assert changed["deep"] == {"lr": 1e-5, "on": True, "more": {"sizes": [5], "a b": "x"}}
    assert {**changed, "deep": 0} == {**CONTENT, "deep": 0}


def test_tables_in_lists_and_dates_of_toml_survive(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('day = 2020-01-02\n[[parts]]\nn = 1\n[[parts]]\nn = 2\nt = {u = "v"}\n')
    before = settings_file.read(file)
    settings_file.write(file, before)
    assert settings_file.read(file) == before


REFUSED = {
    "a.txt": ("", "the ending of trainer.file = '.txt'"),
    "a.json": ("{", r"trainer.file = .*a.json: Expecting"),
    "b.yaml": ("- 1", "must hold a table"),
    "c.yaml": ("lr: 1", r"args.rate: .* has no such key \(it has: lr\)"),
    "none.yaml": (None, "No such file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_replaced_is_refused_in_a_line(name, tmp_path):
    content, message = REFUSED[name]
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message) as refused:
        settings_file.replaced(tmp_path / name, {"rate": 1})
    assert "\n" not in str(refused.value)
