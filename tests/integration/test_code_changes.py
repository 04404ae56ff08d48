"""The code is part of a study: what is said, refused, kept and trained again after an edit."""

import importlib
import shutil
import sys
from pathlib import Path

import optuna
import pytest

from hpsearch import load_curves, load_trials, replay, run_search, run_study, run_trial
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.types import TrialState
from hpsearch.progress.display import Silent
from hpsearch.search.extension import present_study
from hpsearch.search.storage import JournalStore
from hpsearch.tracking.events import read_study

PROJECT = Path(__file__).resolve().parents[2] / "tests" / "user_project"
TRAIN = """
from my_own.parts import worth

def train(x):
    for epoch in (1, 2):
        yield {"valid/acc": worth(x) * epoch}
"""
PARTS = """
def worth(x):
    return x / 10
"""
FAILS_ABOVE = PARTS.replace("    return", "    if x > 4:\n        raise ValueError('too much')\n    return")
INLINE = ("launcher=inline", "launcher.retries=0", "budget.failures=null")


class Lines(Silent):
    def __init__(self):
        self.said = []

    def line(self, text):
        self.said.append(text)

    def of_code(self):
        return [line for line in self.said if "code" in line]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit of equal size within a second is not seen by it
    write(tmp_path, "my_own/__init__.py", "")
    write(tmp_path, "my_own/train.py", TRAIN)
    write(tmp_path, "my_own/parts.py", PARTS)
    yield tmp_path
    forget()


def write(folder, name, text):
    """Write a module; it is imported anew, as in a process of its own."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    forget()


def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] in ("my_own", "my_pkg")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def search(points=4, *words, observer=None, **given):
    from my_own.train import train

    options = {"space": {"x": "int(interval(0, 9))"}, "sampler": "random", "pruner": "none", "tracker": "none"}
    overrides = [*INLINE, *words]
    observer = observer or Lines()
    return run_search(train, points=points, overrides=overrides, observer=observer, **(options | given)), observer


def test_an_edit_is_said_and_the_old_results_are_shown_where_nothing_is_added(project):
    first, _ = search()
    before = load_trials("train")
    assert before.code.nunique() == 1
    write(project, "my_own/parts.py", PARTS.replace("10", "20"))
    again, lines = search()
    assert lines.of_code() == [
        "the code changed since trials of study 'train' were trained (my_own.parts): results of 4 trials are those of "
        "the old code"
    ]
    assert again.already_complete and (again.best.point, again.best.mean) == (first.best.point, first.best.mean)
    assert load_trials("train").equals(before)
    write(project, "my_own/parts.py", "# as it was\n" + PARTS)
    assert search()[1].of_code() == []


def test_points_are_not_added_beside_those_of_other_code_unless_it_is_allowed(project):
    search()
    write(project, "my_own/parts.py", PARTS.replace("10", "20"))
    before = {path: path.read_bytes() for path in (project / "studies").rglob("*") if path.is_file()}
    refused = (
        r"study 'train': the code changed since 4 COMPLETE trials were trained \(my_own.parts\); "
        r"study.code=changed_ok goes on beside them, study.restart=true starts again"
    )
    with pytest.raises(StorageError, match=refused):
        search(6)
    after = {path: path.read_bytes() for path in (project / "studies").rglob("*") if path.is_file()}
    assert {path.name for path in before.keys() ^ after.keys()} <= {"lock"}
    assert all(after[path] == content for path, content in before.items() if path.name != "optuna.journal")
    outcome, lines = search(6, "study.code=changed_ok")
    assert outcome.counts == {TrialState.COMPLETE: 6} and len(lines.of_code()) == 1
    trials = load_trials("train")
    assert list(trials.code == trials.code[0]) == [True] * 4 + [False] * 2
    assert list(trials.score * [5, 5, 5, 5, 10, 10]) == pytest.approx(list(trials["args.x"]))
    assert len(read_study(outcome.folder)["codes"]) == 2
    with pytest.raises(StorageError, match="since 4 COMPLETE"):
        search(7)


def told(folder):
    store = JournalStore().open(folder)
    try:
        return optuna.load_study(
            study_name=present_study(store.storage, folder.name), storage=store.storage
        ).get_trials()
    finally:
        store.close()


def test_what_failed_runs_again_by_mended_code_and_its_failures_are_forgotten(project):
    write(project, "my_own/parts.py", FAILS_ABOVE)
    values = list(range(6))
    first, _ = search(None, space={"x": values}, sampler="grid")
    assert first.counts == {TrialState.COMPLETE: 5, TrialState.FAILED: 1}
    failed = told(first.folder)[5]
    assert failed.constraints["infeasible"] > 0
    write(project, "my_own/parts.py", PARTS)
    outcome, lines = search(None, space={"x": values}, sampler="grid")
    assert lines.of_code()[1].endswith("(my_own.parts): 1 trial that failed or had not ended begin anew")
    assert outcome.counts == {TrialState.COMPLETE: 6} and outcome.best.params == {"x": 5}
    trials, mended = load_trials("train"), told(first.folder)[5]
    assert trials.code.nunique() == 2 and list(trials.attempts) == [1, 1, 1, 1, 1, 2]
    assert mended.value == 1.0 and max(mended.constraints.values()) <= 0
    assert search(None, space={"x": values}, sampler="grid")[0].already_complete


def test_where_nothing_was_complete_a_mended_study_goes_on_without_a_word_more(project):
    write(project, "my_own/parts.py", "def worth(x):\n    return {}[x]\n")
    first, _ = search(3)
    assert first.counts == {TrialState.FAILED: 3}
    write(project, "my_own/parts.py", PARTS)
    outcome, lines = search(5)
    assert outcome.counts == {TrialState.COMPLETE: 5} and len(lines.of_code()) == 1
    assert load_trials("train").code.nunique() == 1
    assert list(load_curves("train").groupby("point").size()) == [2] * 5


def test_what_was_reported_by_code_that_failed_later_is_forgotten(project):
    write(project, "my_own/train.py", TRAIN + "        if x > 4 and epoch == 2:\n            raise ValueError\n")
    write(project, "my_own/parts.py", PARTS)
    values = {"space": {"x": [5, 6]}, "sampler": "grid", "pruner": "median"}
    search(None, **values)
    write(project, "my_own/train.py", TRAIN.replace("worth(x) *", "worth(x) + 7 *"))
    outcome, _ = search(None, **values)
    assert outcome.counts == {TrialState.COMPLETE: 2}
    assert list(load_curves("train")["valid/acc"]) == [7.5, 14.5, 7.6, 14.6]
    assert [trial.intermediate_values for trial in told(outcome.folder)] == [{1: 7.5, 2: 14.5}, {1: 7.6, 2: 14.6}]


def test_a_study_that_grows_is_held_to_it_too_and_nothing_changes_where_it_is_refused(project):
    first, _ = search(None, space={"x": [1, 2]}, sampler="grid")
    write(project, "my_own/parts.py", PARTS.replace("10", "20"))
    before = (first.folder / "study.yaml").read_text()
    grown = {"space": {"x": [1, 2, 3]}, "sampler": "grid", "grow": "train"}
    with pytest.raises(StorageError, match="since 2 COMPLETE"):
        search(None, **grown)
    assert (first.folder / "study.yaml").read_text() == before
    outcome, _ = search(None, "study.code=changed_ok", **grown)
    assert outcome.counts == {TrialState.COMPLETE: 3}


def test_a_study_that_starts_again_is_of_the_present_code(project):
    search()
    write(project, "my_own/parts.py", PARTS.replace("10", "20"))
    outcome, lines = search(4, "study.restart=true")
    assert lines.of_code() == [] and len(read_study(outcome.folder)["codes"]) == 1


def test_an_earlier_study_of_other_code_is_said_to_be_one(project):
    search(4)
    same = search(4, name="same", prior="train", sampler="tpe")[1]
    assert same.of_code() == []
    write(project, "my_own/parts.py", PARTS.replace("10", "20"))
    lines = search(4, name="later", prior="train", sampler="tpe")[1]
    assert lines.of_code() == ["sampler.prior = train: its points are of other code (my_own.parts)"]


def test_a_replay_says_what_changed_before_it_compares(project):
    search(2)
    lines = Lines()
    assert replay("train/0/0", overrides=["plugins=[my_own]", *INLINE[:1]], observer=lines).changed == ""
    assert lines.said == []
    write(project, "my_own/parts.py", PARTS.replace("10", "20"))
    outcome = replay("train/0/0", overrides=["plugins=[my_own]", *INLINE[:1]], observer=lines)
    assert outcome.changed == "the code changed since the trial was trained (my_own.parts)"
    assert lines.said[0] == f"train/0/0: {outcome.changed}"


def test_a_function_of_a_script_is_its_code(project):
    def objective(x):
        yield {"valid/acc": x}

    def edited(x):
        yield {"valid/acc": x + 1}

    options = {"space": {"x": [1, 2]}, "sampler": "grid", "tracker": "none", "name": "mine"}
    run_search(objective, **options)
    edited.__name__ = "objective"
    lines = Lines()
    outcome = run_search(edited, observer=lines, **options)
    assert outcome.already_complete and "objective" in lines.of_code()[0]
    with pytest.raises(StorageError, match="since 2 COMPLETE"):
        run_search(edited, **(options | {"space": {"x": [1, 2, 3]}, "grow": "mine", "name": None}))
    assert replay("mine/0/0", edited).changed and not replay("mine/0/0", objective).changed


@pytest.fixture
def their(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    forget()


def edit(folder, name, old, new):
    text = (folder / name).read_text()
    assert old in text
    write(folder, name, text.replace(old, new))


QUICK = ("launcher=inline", "tracker=none", "trainer.epochs=1")


def test_models_and_data_of_plugins_are_code_of_the_built_in_loop(their):
    words = ["+study=my_net_sweep", "study.name=nets", "study.seeds=1", *QUICK]
    run_study(words, config_dirs=["my_conf"])
    lines = Lines()
    edit(their, "my_pkg/model.py", "nn.ReLU()", "nn.Tanh()")
    edit(their, "my_pkg/train.py", "import time", "import time\nX = 1")
    run_study(words, config_dirs=["my_conf"], observer=lines)
    assert "(my_pkg.model): results of 2 trials" in lines.of_code()[0], "the loop is not used"
    edit(their, "my_pkg/data.py", "np.cos(angle)", "np.cos(2 * angle)")
    with pytest.raises(StorageError, match=r"2 COMPLETE trials were trained \(my_pkg.data, my_pkg.model\)"):
        run_study([*words, "study.grow=nets", "space.model.width=choice(4, 32, 8)"], config_dirs=["my_conf"])


def test_a_single_trial_that_other_code_began_is_not_gone_on_with(their):
    words = ["model=my_net", "data=my_rings", *QUICK]
    first = run_trial(words, config_dirs=["my_conf"])
    path = first.folder.parents[1] / "events" / "0-0-0.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))  # cut off after its start
    lines = Lines()
    edit(their, "my_pkg/model.py", "nn.ReLU()", "nn.Tanh()")
    second = run_trial(words, config_dirs=["my_conf"], observer=lines)
    assert (first.run, second.run) == ("single/0/0", "single/1/0")
    assert lines.of_code() == [
        "single/0/0 is not gone on with: the code changed since the trial was trained (my_pkg.model)"
    ]
    assert load_trials("single").code.nunique() == 2


RECIPE = ("+study=recipe", "study.name=r", "model=my_net", "data=my_rings", "stages.coarse.points=2", *QUICK)


def cut_off(folder):
    """Take the last stage out of a recipe's record, as if it had been killed before its end."""
    file = folder / "studies" / "r" / "events" / "study.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if line.startswith(b'{"event":"stage"'))
    file.write_bytes(b"".join(lines[:last]))


def recipe(stages, *words):
    lines = Lines()
    run_study([*RECIPE, f"stage=[{stages}]", "stages.coarse.epochs=1", *words], config_dirs=["my_conf"], observer=lines)
    return lines


def stages(folder):
    return {name: each["code"] for name, each in read_study(folder / "studies" / "r")["stages"].items()}


@pytest.mark.slow
def test_gates_of_a_recipe_look_again_until_a_stage_has_searched(their):
    assert recipe("initial_loss,determinism,coarse").of_code() == []
    found = stages(their)
    assert len(set(found.values())) == 1
    edit(their, "my_pkg/model.py", "nn.ReLU()", "nn.Tanh()")
    (line,) = recipe("initial_loss,determinism,coarse").of_code()
    assert line.endswith("ran (my_pkg.model): what they found is of the old code") and stages(their) == found
    cut_off(their)
    with pytest.raises(StorageError, match=r"\(my_pkg.model\); study.code=changed_ok goes on beside it"):
        recipe("initial_loss,determinism,coarse")
    said = recipe("initial_loss,determinism,coarse", "study.code=changed_ok").of_code()
    assert "what they found" in said[0] and "results of 2 trials are those of the old code" in said[1]
    shutil.rmtree(their / "studies" / "r.coarse")
    cut_off(their)
    edit(their, "my_pkg/model.py", "nn.Tanh()", "nn.ELU()")
    (line,) = recipe("initial_loss,determinism,coarse").of_code()
    assert line.endswith("initial_loss, determinism of study 'r' ran (my_pkg.model): they look again")
    assert len(set(stages(their).values()) | set(load_trials("r.coarse").code)) == 1


CHECKPOINTED = """
from tests.support.stop_keys import ctrl_c

def train(x, folder):
    kept = folder / "epoch"
    done = int(kept.read_text()) if kept.exists() else 0
    for epoch in range(done + 1, 4):
        kept.write_text(str(epoch))
        if epoch == 2 and x > 1:
            ctrl_c()
        yield {"valid/acc": x * epoch}
"""


def test_a_trial_that_had_not_ended_begins_anew_without_the_checkpoints_of_the_old_code(project):
    write(project, "my_own/train.py", CHECKPOINTED)
    values = {"space": {"x": [2, 3]}, "sampler": "grid"}
    with pytest.raises(KeyboardInterrupt):
        search(None, **values)
    assert (project / "studies" / "train" / "trials" / "0-0-0" / "epoch").read_text() == "2"
    write(project, "my_own/train.py", CHECKPOINTED.replace("x > 1", "x > 9").replace("x * epoch", "x * epoch + 1"))
    outcome, lines = search(None, **values)
    assert lines.of_code()[0].endswith("(my_own.train): 1 trial that failed or had not ended begin anew")
    assert list(load_curves("train")["valid/acc"]) == [3, 5, 7, 4, 7, 10]
    assert outcome.counts == {TrialState.COMPLETE: 2}


def test_a_process_that_holds_a_module_as_it_was_before_an_edit_trains_nothing_by_it(project):
    search()
    file = project / "my_own/parts.py"
    file.write_text(PARTS.replace("10", "20"))
    held = (
        r"my_own.parts was edited after this process loaded it, which still has the old code: restart it, load it anew "
        r"\(importlib.reload\(my_own.parts\)\), or train in new processes \(launcher=processes\)"
    )
    with pytest.raises(ConfigError, match=held):
        search(4, "study.name=other")
    assert not (project / "studies/other").exists()
    importlib.reload(sys.modules["my_own.parts"])
    importlib.reload(sys.modules["my_own.train"])
    assert search(4, "study.name=other")[0].best.mean == pytest.approx(search()[0].best.mean / 2)


def test_an_edit_before_the_first_look_and_one_of_a_constant_are_seen_too(project):
    import my_own.parts

    file = project / "my_own/parts.py"
    file.write_text(PARTS.replace("10", "20"))
    with pytest.raises(ConfigError, match=r"my_own\.parts was edited after"):
        search()
    write(project, "my_own/parts.py", "SHARE = 0.1\n\ndef worth(x):\n    return SHARE * x\n")
    del my_own
    search()
    file.write_text(file.read_text().replace("0.1", "0.2"))
    with pytest.raises(ConfigError, match=r"my_own\.parts was edited after"):
        search(6, "study.code=changed_ok")


def test_the_code_of_an_installed_package_that_is_named_is_part_of_a_study(project, monkeypatch):
    write(project, "site-packages/installed_own/__init__.py", "from installed_own.parts import train")
    write(project, "site-packages/installed_own/parts.py", TRAIN)
    monkeypatch.syspath_prepend(str(project / "site-packages"))
    words = ("trainer=own", "trainer._target_=installed_own.train", "plugins=[installed_own]", "study.name=installed")
    given = ("+study=search", "sampler=random", "pruner=none", "tracker=none", "space.args.x=int(interval(0, 9))")
    run_study([*INLINE, *given, *words, "budget.points=3"], observer=Lines())
    assert "installed_own" in next(iter(read_study(project / "studies/installed")["codes"].values()))["modules"]
    del sys.modules["installed_own"], sys.modules["installed_own.parts"]
    write(project, "site-packages/installed_own/parts.py", TRAIN.replace("epoch}", "epoch / 2}"))
    with pytest.raises(StorageError, match=r"the code changed since 3 COMPLETE trials were trained \(installed_own\)"):
        run_study([*INLINE, *given, *words, "budget.points=5"], observer=Lines())
