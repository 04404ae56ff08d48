"""The words of a program with everything filled in, and what is refused of them."""

from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.plain import flatten
from hpsearch.trial.command import Command

FOLDER = Path("/trial")


def config(command, args=None, **options):
    trainer = {"_target_": "hpsearch.trial.command.run", "command": command, **options}
    return {"trainer": trainer, "args": args or {}, "seed": 7, "fold": 1}


def words(command, args=None, checkpoint=None, **options):
    given = config(command, args, **options)
    return list(Command.of(given).filled(given, FOLDER, checkpoint).words)


ARGS = {"lr": 1e-05, "act": "relu", "on": True, "none": None, "net": {"width": 8}, "sizes": [1, 2]}


def test_arguments_are_told_as_each_program_takes_them():
    assert words(["sh"], ARGS) == ["sh", "--lr=1e-05", "--act=relu", "--on=true", "--net.width=8", "--sizes=[1, 2]"]
    assert words(["sh"], ARGS, arguments="words") == [
        "sh", "lr=1e-05", "act=relu", "on=true", "net.width=8", "sizes=[1,2]"
    ]  # fmt: skip
    given = config(["sh"], ARGS, arguments="environment")
    filled = Command.of(given).filled(given, FOLDER, None)
    assert filled.words == ("sh",) and filled.variables["lr"] == "1e-05" and "none" not in filled.variables
    assert filled.variables["HPSEARCH_SEED"] == "7" and filled.variables["HPSEARCH_REPORTS"] == "/trial/reports.jsonl"


def test_names_in_braces_are_filled_in_and_told_in_no_other_way():
    command = ["sh", "{seed}-{fold}", "{epochs}", "{folder}/x", "{lr}", "{{lr}}", "{ lr }", 3]
    assert words(command, {"lr": 0.5, "n": 1}, epochs=9) == [
        "sh", "7-1", "9", "/trial/x", "0.5", "{lr}", "{ lr }", "3", "--n=1"
    ]  # fmt: skip


def test_without_a_checkpoint_its_words_are_left_out_with_their_option():
    command = ["sh", "--resume", "{checkpoint}", "--from={checkpoint}", "-v"]
    assert words(command) == ["sh", "-v"]
    assert words(command, checkpoint=Path("/c.pt")) == ["sh", "--resume", "/c.pt", "--from=/c.pt", "-v"]
    assert words(["sh", "--resume", "{lr}"], {"lr": None}) == ["sh"]


REFUSED = {
    "no command": ([], {}, {}, r"trainer.command = \[\]: must be the words"),
    "unknown": (["sh", "{sed}"], {}, {}, r"\{sed\}: nothing is filled in there, did you mean 'seed'\?"),
    "no epochs": (["sh", "{epochs}"], {}, {}, "trainer.epochs, which is null"),
    "twice": (["sh", "--lr", "1"], {"lr": 1}, {}, "args.lr: the command says --lr already"),
    "twice, one word": (["sh", "--lr=1"], {"lr": 1}, {}, "args.lr: the command says --lr=1 already"),
    "twice for hydra": (["sh", "+lr=1"], {"lr": 1}, {"arguments": "words"}, r"says \+lr=1 already"),
    "not found": (["no_such_program"], {}, {}, "no_such_program: no such program"),
    "no file": (["sh", "{file}"], {}, {"arguments": "file"}, "trainer.file = null"),
    "file not told": (["sh"], {}, {"arguments": "file", "file": "a.yaml"}, r"must have \{file\}"),
    "file not used": (["sh"], {}, {"file": "a.yaml"}, "trainer.file = a.yaml: belongs to trainer.arguments=file"),
    "other key": (["sh"], {}, {"epoch": 3}, "trainer.epoch: is not used by a program, did you mean 'epochs'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused_in_a_line(name):
    command, args, options, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message) as refused:
        Command.of(config(command, args, **options)).check(flatten(args))
    assert "\n" not in str(refused.value)


def test_a_program_of_which_nothing_says_what_it_measured_is_refused(tmp_path):
    (tmp_path / "says.py").write_text("import hpsearch")
    (tmp_path / "silent.py").write_text("pass")
    silent, says = str(tmp_path / "silent.py"), str(tmp_path / "says.py")
    of = Command.of(config(["sh"], pattern=None))
    for code in ([], [silent]):
        with pytest.raises(ConfigError, match=r"trainer.pattern = null and trainer.metrics = null: nothing is read"):
            of.check_source(code)
    of.check_source([silent, says, "a.module"])
    Command.of(config(["sh"], pattern=None, metrics="m.jsonl")).check_source([silent])
    Command.of(config(["sh"])).check_source([silent])


def test_its_settings_file_is_copied_with_other_values(tmp_path):
    (tmp_path / "a.yaml").write_text("lr: 1\nnet: {width: 4}\n")
    options = {"arguments": "file", "file": str(tmp_path / "a.yaml")}
    given = config(["sh", "--config", "{file}"], {"net": {"width": 9}}, **options)
    filled = Command.of(given).filled(given, tmp_path, None)
    assert filled.words == ("sh", "--config", str(tmp_path / "settings.yaml"))
    assert (tmp_path / "settings.yaml").read_text() == "lr: 1\nnet:\n  width: 9\n"
