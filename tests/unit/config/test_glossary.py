"""Every option and key that the glossary and the table of options name is there, and the Chinese page says the same."""

import re
from functools import cache
from pathlib import Path

import pytest

from hpsearch.base.plain import ABSENT, get
from hpsearch.config.compose import compose
from hpsearch.config.groups import CONF, describe_groups
from hpsearch.terminal.help import COMMANDS

ROOT = Path(__file__).parents[3]
README = (CONF / "README.md").read_text(encoding="utf-8")
GLOSSARY = README.partition("\n## Glossary\n")[2].partition("\n## ")[0]
ROWS = [row.strip("|").split(" | ") for row in GLOSSARY.splitlines() if row.startswith("| ")][1:]


def codes(text):
    return re.findall(r"`([^`]+)`", text)


def words_of(row):
    return [code for code in codes(row[2]) if not code.startswith("python ")]


def test_the_glossary_has_its_rows_in_both_languages():
    assert len(ROWS) > 70
    assert all(len(row) == 3 and row[1].strip() and codes(row[2]) for row in ROWS)
    assert sum(bool(re.search(r"[\u4e00-\u9fff]", row[0])) for row in ROWS) > 60
    terms = [term for row in ROWS for term in row[:2]]
    assert len({*terms}) > 2 * len(ROWS) - 5


def test_no_key_has_two_rows():
    """Two rows of one key say the same twice, and one day differently."""
    keys = [key for row in ROWS for key in {*words_of(row)} if "=" not in key and "." in key]
    twice = {key for key in keys if keys.count(key) > 1}
    assert not twice, twice


def test_the_table_of_options_and_the_glossary_are_drawn_as_tables():
    assert {len(row) for row in ROWS} == {3}
    assert all(row.count("|") == 4 for row in GLOSSARY.splitlines() if row.startswith("|"))


@cache
def of(*words):
    return compose(list(words)).config


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].strip())
def test_every_word_of_the_glossary_composes(row):
    words, groups = words_of(row), describe_groups()
    options = [word for word in words if "." not in word.partition("=")[0] and "=" in word]
    for group, _, option in (word.lstrip("+").partition("=") for word in options):
        assert option in groups[group], f"{group}={option}"
    model = [word for word in options if word.startswith("model=")][:1]
    for word in words:
        key, is_value, _ = word.partition("=")
        if word.startswith("space."):
            compose(["+study=lr_sweep", "~space", word])
        elif is_value and "." in key:
            compose([*model, word])
        elif not is_value:
            chosen = [of(option) for option in options if option.partition("=")[0] == key.partition(".")[0]]
            assert any(get(config, key) is not ABSENT for config in [of(), *chosen]), key
    for command in (code.split() for code in codes(row[2]) if code.startswith("python ")):
        assert command[3] in COMMANDS


def test_the_glossary_names_every_group_of_a_trial_and_of_a_search():
    named = {word.partition("=")[0].partition(".")[0].lstrip("+") for row in ROWS for word in words_of(row)}
    assert {*describe_groups()} - named <= {"tracker", "storage", "launcher"}


@pytest.mark.parametrize("group", ["optimizer", "scheduler", "loss", "init", "regularizer", "augment"])
def test_every_option_of_the_notes_groups_is_in_the_glossary_or_its_kind_is(group):
    """What is added later needs its term."""
    named = {word.partition("=")[2] for row in ROWS for word in words_of(row) if word.startswith(f"{group}=")}
    missing = {*describe_groups()[group]} - named - {"none", "default", "constant", "constant_factor", "ema_torch"}
    assert not missing, f"conf/README.md, glossary: no term for {group}={', '.join(missing)}"


def test_the_table_of_options_lists_what_is_there():
    for group, options in describe_groups().items():
        (row,) = re.findall(rf"^\| `{group}` \|.*\| (.*) \|$", README, re.MULTILINE)
        assert codes(row) == sorted(options), group


def commands_of(path):
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if block.startswith("python3 -m venv")]


def test_the_chinese_page_has_the_two_commands_and_is_linked():
    chinese = ROOT / ".github" / "README.zh.md"
    assert len(commands_of(chinese)) == 2
    assert commands_of(chinese) == commands_of(ROOT / "README.md")
    assert "(.github/README.zh.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(../conf/README.md#glossary)" in chinese.read_text(encoding="utf-8")
