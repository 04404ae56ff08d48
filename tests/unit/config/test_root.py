"""Keys that every configuration has, and tables that stay tables."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.config.root import DEEPEST

SPACE = "space: {optimizer.lr: 'choice(1, 2)'}"
LEFT_OUT = ("ablation", "ablation.seeds", "args", "budget", "budget.failures", "extend", "extend.edges", "fold")
LEFT_OUT = (*LEFT_OUT, "budget.points", "plugins", "seed", "stages")


@pytest.mark.parametrize("study", [[], ["+study=lr_sweep"], ["+study=recipe"], ["+study=batch_momentum"]])
def test_a_key_of_the_root_cannot_be_left_out_and_a_table_stays_one(study):
    for key in LEFT_OUT:
        with pytest.raises(ConfigError) as error:
            compose([*study, f"~{key}"])
        assert str(error.value) == f"~{key}: it cannot be left out (from the command line)"
    for word in ("ablation=null", "ablation=", "ablation=1", "++stages=x", "++budget=[]", "++extend.limits=1"):
        with pytest.raises(ConfigError, match=r"must be a table \(from the command line\)$") as error:
            compose([*study, word])
        assert "\n" not in str(error.value)


def refused(folder, text, said):
    """A study's file with this text is refused, and the line begins so."""
    file = folder / "study" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(f"# @package _global_\n{text}\n")
    with pytest.raises(ConfigError) as error:
        compose(["+study=mine"], [folder])
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("given", ["null", "3", "x"])
@pytest.mark.parametrize(
    "group", ["trainer", "model", "data", "sampler", "tracker", "scheduler", "regularizer", "loss"]
)
def test_no_file_puts_something_else_in_an_options_place(tmp_path, group, given):
    refused(
        tmp_path, f"{SPACE}\n{group}: {given}", f"{group} = {given}: must be a table, or an option of {group} chosen"
    )


@pytest.mark.parametrize("entry", ["'': sgd", "'/': sgd", "'@x': sgd"])
def test_an_entry_of_the_defaults_names_a_group(tmp_path, entry):
    refused(tmp_path, f"defaults:\n  - {entry}\n{SPACE}", "an entry under `defaults` names no group")


@pytest.mark.parametrize("given", ["true", "3", "x"])
def test_a_space_is_a_table(tmp_path, given):
    refused(tmp_path, f"space: {given}", f"space = {given}: must be a table")


def test_a_table_may_take_the_place_of_nothing():
    assert compose(["ablation.reference={optimizer.momentum: 0}"]).config["ablation"]["reference"] == {
        "optimizer.momentum": 0
    }


def test_a_key_that_is_null_is_left_out_like_any_other():
    assert "micro_batch" not in compose(["~data.micro_batch"]).config["data"]
    assert "micro_batch" not in compose(["~data.micro_batch=null"]).config["data"]
    with pytest.raises(ConfigError) as error:
        compose(["~data.micro_batch=3"])
    assert str(error.value) == "~data.micro_batch=3: data.micro_batch is null (from the command line)"


def test_a_key_that_is_too_long_for_a_name_of_a_file_is_no_key():
    with pytest.raises(ConfigError, match=r"^x+: no such key"):
        compose([f"{'x' * 300}=1"])


@pytest.mark.parametrize("levels", [DEEPEST, 120, 300])
def test_what_is_nested_too_deeply_is_refused_by_words_and_in_files(levels, tmp_path):
    nested = "[" * levels + "]" * levels
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "deep.yaml").write_text(f"# @package _global_\nargs: {{x: {nested}}}\n")
    for words in (["+study=deep"], ["trainer=own", "trainer._target_=a.f", f"args.x={nested}"]):
        with pytest.raises(ConfigError, match="nested"):
            compose(words, [tmp_path])


def test_what_is_nested_less_is_composed():
    nested = "[" * (DEEPEST - 2) + "]" * (DEEPEST - 2)
    assert repr(compose(["trainer=own", "trainer._target_=a.f", f"args.x={nested}"]).config["args"]["x"]) == nested


@pytest.mark.parametrize("word", ["+cluster=slurm", "+cluster=[slurm,ray]", "++cluster.workers=3"])
def test_where_a_team_trains_is_a_file_and_never_a_value(word):
    """Without its folder the study would run on this machine, and nobody would be told."""
    with pytest.raises(
        ConfigError, match=r"^cluster = .*: no such option; it is a file cluster/NAME\.yaml in a folder"
    ):
        compose(["+study=lr_sweep", word])
