"""The words that ``run`` is short for."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.study.programs import program_name, run_words

LR = "lr=tag(log, interval(1e-4, 1))"


def test_a_sweep_is_an_argument_and_any_other_word_is_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my train.py").touch()
    words = run_words(
        [LR, "net.width=8,16", "study.seeds=3", "objective.metric=acc"],
        ["sh", "my train.py", "--n", "05", "-m", "6"],
        7,
    )
    assert words[:-1] == [
        "+study=search", "trainer=command", "trainer.command=[sh,'my train.py',--n,'05',-m,6]",
        "space.args.lr=tag(log, interval(1e-4, 1))", "space.args.net.width=choice(8,16)",
        "study.seeds=3", "objective.metric=acc", "budget.points=7",
    ]  # fmt: skip
    composition = compose(words)
    assert composition.study_name.startswith("my-train__lr__net.width__study.seeds-3__objective.metric-acc-") and set(
        composition.space
    ) == {
        "args.lr",
        "args.net.width",
    }
    assert composition.config["trainer"]["command"] == ["sh", "my train.py", "--n", "05", "-m", 6]


def test_the_space_may_be_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = run_words(["space.args.lr=tag(log, interval(1e-4, 1))", "launcher.workers=2"], ["sh", "-c", "true"], 3)
    assert compose(words).space.keys() == {"args.lr"}


def test_how_much_and_where_to_run_makes_no_other_study():
    names = [run_words([LR, *more], ["sh", "-c", "true"], n)[-1] for more, n in (([], 3), (["launcher.workers=2"], 9))]
    assert names[0] == names[1] and names[0].startswith("study.name=sh__lr-")
    others = [run_words([LR, "seed=1"], ["sh", "-c", "true"], 3), run_words([LR], ["sh", "-c", "false"], 3)]
    assert len({names[0], *(each[-1] for each in others)}) == 3


@pytest.mark.parametrize("said", ["--epochs 7", "--epochs=7", "--num-epochs 7 --x", "max_epochs=7"])
def test_the_epochs_of_its_command_are_known_to_pruners(said):
    assert "trainer.epochs=7" in run_words([LR], ["sh", *said.split()], None)
    assert "trainer.epochs=7" not in run_words([LR, "trainer.epochs=9"], ["sh", *said.split()], None)


@pytest.mark.parametrize("said", ["--epochs {epochs}", "--epochs 7.5", "--eval-epochs 7", "--epochs"])
def test_other_words_say_nothing_of_epochs(said):
    assert not [word for word in run_words([LR], ["sh", *said.split()], None) if word.startswith("trainer.epochs")]


def test_a_study_of_its_own_and_its_name_are_kept():
    assert run_words(["+study=lr_sweep", "study.name=mine"], ["sh"], None) == [
        "trainer=command", "trainer.command=[sh]", "+study=lr_sweep", "study.name=mine"
    ]  # fmt: skip


def test_without_a_sweep_it_is_a_single_trial():
    assert run_words(["seed=3"], ["sh", "x"], None) == ["trainer=command", "trainer.command=[sh,x]", "seed=3"]
    with pytest.raises(ConfigError, match="--points 3: nothing is searched"):
        run_words([], ["sh"], 3)
    with pytest.raises(ConfigError, match="no program: its words come after --"):
        run_words([LR], [], 3)


@pytest.mark.parametrize(
    ("command", "name"), [(["./bin/a b.sh"], "a-b"), (["python", "-m", "x"], "python"), ([3], "3")]
)
def test_it_is_called_after_the_program(command, name):
    assert program_name(command) == name
