"""What `--help GROUP`, `--help GROUP=OPTION` and `--help KEY` say, from the files themselves."""

import re
import subprocess
import sys

import pytest
import yaml

from hpsearch.base.errors import ConfigError
from hpsearch.base.plain import flatten
from hpsearch.cli import run
from hpsearch.config.groups import CONF, describe_groups
from hpsearch.study.option_files import OptionKey, first_lines, read_option, root_keys
from hpsearch.terminal.help import full_help
from hpsearch.terminal.option_help import help_on, help_pages

FILES = sorted(CONF.rglob("*/*.yaml"))
EXAMPLE = """# @package regularizer.mine
# A penalty of mine,
# in two lines.
_target_: my_package.Penalty
_partial_: true
strength: 1e-3      # times the loss
text: 'a # b'       # the sign of a comment in a text is none
table:              # of two
  first: 1          # and this
                    # goes on
  second: [1, 2]
plain: null
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "regularizer").mkdir()
    (tmp_path / "regularizer" / "mine.yaml").write_text(EXAMPLE)
    return [tmp_path]


def test_a_file_says_its_keys_with_their_comments(mine):
    read = read_option("regularizer", "mine", mine)
    assert (read.about, read.target) == ("A penalty of mine, in two lines.", "my_package.Penalty")
    assert read.keys == (
        OptionKey("regularizer.mine.strength", "1e-3", "times the loss"),
        OptionKey("regularizer.mine.text", "'a # b'", "the sign of a comment in a text is none"),
        OptionKey("regularizer.mine.table", "", "of two"),
        OptionKey("regularizer.mine.table.first", "1", "and this goes on"),
        OptionKey("regularizer.mine.table.second", "[1,2]", ""),
        OptionKey("regularizer.mine.plain", "null", ""),
    )


def test_a_study_says_what_it_chooses_and_what_it_searches_as_it_is_written():
    read = read_option("study", "momentum")
    assert read.about.startswith("Does momentum help") and "stage=[tune,arms]" in read.chooses
    keys = [each.key for each in read.keys]
    assert "space.optimizer.momentum=choice(0, 0.5, 0.9, 0.99)" in keys
    assert "nuisance[optimizer.momentum=0.5].optimizer.lr=tag(log, interval(0.025, 2.5))" in keys


def test_every_key_and_comment_of_every_option_is_there():
    """Of whatever options there are."""
    for file in FILES:
        read = read_option(file.parent.name, file.stem)
        text = file.read_text(encoding="utf-8")
        assert len(read.about) > 8, file
        content = {key: value for key, value in yaml.safe_load(text).items() if key not in ("defaults", "_target_")}
        leaves = [key for key in flatten(content) if not key.endswith("_partial_") and key != "study.question"]
        assert len([each for each in read.keys if each.value or "=" in each.key]) == len(leaves), file
        header = re.match(r"(#.*\n)*", text)
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", text[header.end() :])
        defaults = re.search(r"^defaults:\n((?:[ -].*\n)*)", text, re.MULTILINE)
        shown = " ".join([read.target, *(each.comment for each in read.keys)])
        for comment in re.findall(r"(?:^|\s)# ?(.*)$", bare, re.MULTILINE):
            bare_shown = re.sub(r"'[^']*'|\"[^\"]*\"", "", shown)
            assert comment.strip() in bare_shown or (defaults and comment in defaults[1]), (file, comment)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_page_of_a_group_lists_its_options_with_their_first_lines(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for group in describe_groups():
        page = help_on(group)
        options = first_lines(group)
        assert options
        for option, about in options.items():
            assert re.search(rf"^  {option}\*?(\s|$)", page, re.MULTILINE)
            assert columns == 40 or " ".join(about.split()) in " ".join(page.split())
        wide = min(max(columns, 48), 118)
        assert all(len(line) <= wide or "=" in line or " " not in line.strip() for line in page.splitlines()), group


def test_what_is_long_stands_in_a_line_of_its_own(monkeypatch):
    monkeypatch.setenv("COLUMNS", "48")
    page = help_on("optimizer=momentum")
    assert "\n  optimizer.decay_bias_and_norm=false\n        " in page
    assert all(len(line) <= 48 for line in full_help().splitlines() if line.startswith("         "))


def test_words_are_helped_in_turn_and_a_command_alone(mine):
    page = help_pages(["optimizer=adam", "scheduler=step"])
    assert page.index("optimizer.betas=[0.9,0.999]") < page.index("scheduler.step_size=")
    assert help_pages(["report", "optimizer"]) == help_on("report")
    assert "  regularizer.mine.strength=1e-3" in help_pages(["regularizer=mine"], mine)
    assert "A penalty of mine" in help_pages(["regularizer"], mine)
    assert help_on("+study=lr_sweep") == help_on("study=lr_sweep")


def test_a_key_is_helped_by_every_option_that_has_it_and_a_table_of_the_root_by_its_keys():
    page = help_on("optimizer.lr")
    assert re.search(r"^  optimizer=sgd +0\.1$", page, re.MULTILINE)
    assert "optimizer=lion" in page and "a third to a tenth of what suits AdamW" in page
    assert "budget.points=null" in help_on("budget") and "seed=0" in help_on("seed")
    assert root_keys("nothing") == ()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("optimzer", "--help optimzer: no such command, group or key, did you mean 'optimizer'?"),
        ("adam", "did you mean 'optimizer=adam'?"),
        ("lr", "did you mean 'optimizer.lr'?"),
        ("reprot", "did you mean 'report'?"),
        ("budgt", "did you mean 'budget'?"),
        ("optimizer=SGD", "optimizer=SGD: no such option, did you mean 'sgd'?"),
        ("banana", "--help banana: no such command, group or key (groups: "),
        ("study=lr_swep", "did you mean 'lr_sweep'?"),
    ],
)
def test_no_help_is_one_line_with_what_may_be_meant(word, said, capsys):
    with pytest.raises(ConfigError) as error:
        help_on(word)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert run(["--help", word]) == 2
    assert capsys.readouterr().out == ""


def test_help_loads_neither_torch_nor_hydra():
    code = (
        "import sys; from hpsearch.cli import run; run(['--help', 'optimizer']); run(['--help', 'study=recipe']); "
        "print({'torch', 'hydra', 'omegaconf', 'optuna', 'mlflow', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
