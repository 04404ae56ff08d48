"""Trials are trained by the code that the driver knows."""

import pytest

from hpsearch.base.commands import LOCAL_MODULE
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.config.code import FILE, CodeReader
from hpsearch.trial import build, generator, same_code
from hpsearch.trial.same_code import check_code

TARGETS = ("own_net.Net",)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(same_code, "_imported", set())
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_net.py").write_text("import own_layer\nclass Net: pass\n")
    (tmp_path / "own_layer.py").write_text("SIZE = 1\n")
    return tmp_path


def test_other_code_is_refused_also_where_only_what_it_imports_is_another_one(folder):
    digest = CodeReader().at(TARGETS).digest
    (folder / "own_layer.py").write_text("SIZE = 2\n")
    with pytest.raises(ConfigError, match=r"not that with which the command began \(own_net.Net\)"):
        check_code(digest, TARGETS)


def test_an_edit_of_what_a_process_has_imported_does_not_end_it(folder):
    digest = CodeReader().at(TARGETS).digest
    check_code(digest, TARGETS)
    (folder / "own_layer.py").write_text("SIZE = 2\n")
    check_code(digest, TARGETS)


def test_a_program_is_looked_at_before_each_trial(folder):
    (folder / "train.py").write_text("print(1)")
    digest = CodeReader().at([f"{FILE}train.py"]).digest
    check_code(digest, [f"{FILE}train.py"])
    (folder / "train.py").write_text("print(2)")
    with pytest.raises(ConfigError, match=r"\(train.py\)"):
        check_code(digest, [f"{FILE}train.py"])


def test_code_that_is_not_there_is_refused(folder):
    (folder / "train.py").write_text("print(1)")
    digest = CodeReader().at([f"{FILE}train.py"]).digest
    (folder / "train.py").unlink()
    with pytest.raises(ConfigError, match=r"\(train.py\)"):
        check_code(digest, [f"{FILE}train.py"])


def test_where_no_code_is_known_or_it_comes_with_the_trial_nothing_is_said():
    check_code("", ())
    check_code("", TARGETS)
    check_code("another", (f"{LOCAL_MODULE}.train",))


@pytest.mark.parametrize("runner", [build, generator])
def test_nothing_is_built_or_trained_by_other_code(runner):
    spec = TrialSpec("s", TrialId(0, 0), {}, {}, (), "key", "", code="another", targets=TARGETS)
    with pytest.raises(ConfigError, match="not that with which the command began"):
        next(runner.execute((spec,)))
    with pytest.raises(ConfigError, match="not that with which the command began"):
        runner.preflight({"trainer": {"_target_": "own_net.train"}}, None, "another", TARGETS)
