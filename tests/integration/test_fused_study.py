"""Studies whose workers train several trials as one program: they end as studies that train each alone."""

import os
import shlex
import signal
from pathlib import Path

import pandas as pd
import pytest

from hpsearch import Silent, load_curves, load_trials, replay, run_study, run_trial
from hpsearch.cli import run
from hpsearch.study.outcome import StudyOutcome
from hpsearch.tracking.events import read_study

pytestmark = pytest.mark.slow

INLINE = "launcher=inline"
SMALL = ("data.train_size=320", "data.batch_size=16", "tracker=none", "trainer.device=cpu")
MLP = ("model.hidden=[8]", "trainer.epochs=4")
RATES = "space.optimizer.lr=choice(0.003, 0.1, 0.3, 30)"
STUDY = ("+study=lr_sweep", *SMALL, "study.confirm=0", "study.seeds=1")
CLOSE = 1e-4
"""Of an accuracy: both paths round, and no sample of these changes its class for it."""


def search(name: str, *words: str) -> StudyOutcome:
    return run_study([*STUDY, f"study.name={name}", *words], observer=Silent())


def trials_of(name: str) -> pd.DataFrame:
    return load_trials(name).set_index(["point", "seed", "fold"]).sort_index()


def check_like(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare how trials ended, and their scores."""
    assert found.state.to_dict() == expected.state.to_dict()
    assert found.score.to_dict() == pytest.approx(expected.score.to_dict(), abs=CLOSE, nan_ok=True)


def check_replay(name: str, state: str) -> None:
    """Train the first trial that ended so again: a fused one, and bit for bit the same."""
    ended = trials_of(name).query("state == @state and fused_widths.notna()")
    run = replay("/".join(map(str, (name, *ended.index[0]))), overrides=[INLINE], observer=Silent())
    assert run.same and run.state == state, run.differences


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """One folder for the studies of this module."""
    before, folder = Path.cwd(), tmp_path_factory.mktemp("fused")
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def sweep():
    """A study of two rates, and one of them that no seed stands, trained by groups and one by one."""
    search("plain", *MLP, RATES, "study.seeds=2", INLINE, "launcher.fuse=off")
    return search("sweep", *MLP, RATES, "study.seeds=2", INLINE, "launcher.fuse=4")


def test_points_end_as_if_each_trial_were_alone(sweep):
    fused, plain = trials_of("sweep"), trials_of("plain")
    check_like(fused, plain)
    assert set(fused.state) == {"COMPLETE", "INFEASIBLE"}
    assert fused.fused_widths.str.fullmatch(r"4\*4|1\*4 3\*2|1\*4").all(), fused.fused_widths
    assert "fused_widths" not in plain
    assert sweep.best.params == {"optimizer.lr": 0.1}


def test_what_was_chosen_is_on_record(sweep):
    chosen = read_study(sweep.folder)["fused"]
    assert (chosen["width"], chosen["most"]) == (4, 4)
    assert "fused" not in read_study(sweep.folder.with_name("plain"))


@pytest.mark.parametrize("state", ["COMPLETE", "INFEASIBLE"])
def test_a_member_trained_again_is_the_same_bit_for_bit(sweep, state):
    check_replay("sweep", state)


def test_the_printed_command_gives_the_numbers_of_the_record(sweep):
    words = shlex.split(sweep.replay_command)[3:]
    assert words[-1] == "launcher.fuse=8"
    again = run_trial([*words, INLINE], observer=Silent())
    seed = next(word for word in words if word.startswith("seed=")).replace("=", " == ")
    curve = load_curves("sweep").query(f"point == 1 and {seed} and epoch == 4").iloc[0]
    for name in ("train/loss", "valid/loss", "valid/acc", "grad_norm"):
        assert again.metrics[name] == curve[name]


def test_the_same_command_again_trains_nothing(sweep):
    assert search("sweep", *MLP, RATES, "study.seeds=2", INLINE, "launcher.fuse=4").already_complete


@pytest.mark.parametrize(
    "pruner",
    [
        pytest.param(("successive_halving",), marks=pytest.mark.long),
        pytest.param(("hyperband",), marks=pytest.mark.long),
        ("median", "study.seeds=2"),
        ("top_k_after", "pruner.k=3"),
    ],
)
def test_pruned_members_leave_and_new_ones_enter(pruner):
    kind, *words = pruner
    search(kind, *MLP, "sampler=random", f"pruner={kind}", "budget.points=12", INLINE, "launcher.fuse=4", *words)
    trials = trials_of(kind)
    assert len(trials.groupby("point")) == 12 and {"COMPLETE", "PRUNED"} <= set(trials.state)
    late = trials.loc[4:].fused_widths.dropna()
    assert late.str.contains(r"\*4").any(), "slots are refilled"
    check_replay(kind, "COMPLETE")
    check_replay(kind, "PRUNED")


GROUPS = {
    "models": (
        ["~space.optimizer.lr", "space.model=choice(mlp, softmax)", "space[model=mlp].model.dropout=choice(0, 0.3)"],
        ["space[model=softmax].optimizer.lr=choice(0.01, 0.1)", "study.seeds=2"],
    ),
    "folds": ([*MLP[:1], "space.optimizer.lr=choice(0.01, 0.1)", "data.folds=3"], ["data.train_size=null"]),
    "batches": ([*MLP[:1], "~space.optimizer.lr", "space.data.batch_size=choice(16, 33, 64)"], ["study.seeds=2"]),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_trials_of_several_programs_take_turns(kind):
    searched, more = GROUPS[kind]
    small = [word for word in searched if "batch_size" in word]
    words = [each for each in STUDY if not (small and each.startswith("data.batch_size"))]
    for fuse in ("4", "off"):
        name = [f"study.name={kind}_{fuse}", "trainer.epochs=2", INLINE, f"launcher.fuse={fuse}"]
        run_study([*words, *searched, *more, *name], observer=Silent())
    check_like(trials_of(f"{kind}_4"), trials_of(f"{kind}_off"))
    assert trials_of(f"{kind}_4").fused_widths.str.contains(r"\*[234]").all()


class Interrupts(Silent):
    """Presses Ctrl-C as soon as trials run: the screen is not told of every epoch."""

    asked = False

    def update(self, progress):
        if not self.asked and progress.running:
            self.asked = True
            os.kill(os.getpid(), signal.SIGINT)


def test_a_study_that_was_interrupted_goes_on(sweep):
    words = [*STUDY, *MLP, RATES, "study.seeds=2", "study.name=broken", INLINE, "launcher.fuse=4"]
    assert run_study(words, observer=Interrupts(), on_interrupt="return").interrupted
    assert "PAUSED" in set(load_trials("broken").state)
    assert not run_study(words, observer=Silent()).interrupted
    check_like(trials_of("broken"), trials_of("sweep"))
    assert not load_curves("broken").duplicated(["point", "seed", "epoch"]).any()
    check_replay("broken", "COMPLETE")


ALONE = {
    "a learning sampler, a twentieth of whose points is none": ["sampler=tpe", "budget.points=12"],
    "a learning sampler whose points are pruned": ["sampler=tpe", "pruner=median", "budget.points=20"],
    "rounds": ["launcher.lockstep=true"],
    "time of a trial": ["budget.trial_seconds=100"],
    "an average of weights": ["regularizer=ema"],
}


@pytest.mark.parametrize("why", ALONE)
def test_what_cannot_be_trained_together_is_trained_alone(why, monkeypatch):
    if "learning" in why:
        monkeypatch.setattr("hpsearch.study.fuse.choose", lambda *_: pytest.fail("nothing to choose"))
    name = why.replace(" ", "_").replace(",", "")
    search(name, "model.hidden=[8]", "trainer.epochs=1", INLINE, "launcher.fuse=auto", *ALONE[why])
    assert "fused_widths" not in load_trials(name)


def test_what_cannot_be_trained_together_says_so_where_that_was_asked_for(capsys):
    run_study([*STUDY, "study.name=asked", "trainer.epochs=1", "regularizer=ema", INLINE, "launcher.fuse=on"])
    assert "launcher.fuse = on: the trials are trained one by one: an average of weights" in capsys.readouterr().err


def test_a_wide_study_of_a_sampler_that_does_not_learn():
    search(
        "wide", "model.hidden=[8]", "trainer.epochs=1", "sampler=random", "budget.points=12", INLINE, "launcher.fuse=on"
    )
    assert set(load_trials("wide").query("state == 'COMPLETE'").fused_widths) == {"1*12"}


REFUSED = {
    "nobody": (["launcher.fuse=0"], "launcher.fuse = 0: must be auto, on, off, or how many trials at most"),
    "a negative number": (["launcher.fuse=-1"], "launcher.fuse = -1: must be auto"),
    "half a trial": (["launcher.fuse=1.5"], "launcher.fuse = 1.5: must be auto"),
    "another word": (["launcher.fuse=maybe"], "launcher.fuse = 'maybe': must be auto"),
    "rounds": (["launcher.fuse=4", "launcher.lockstep=true"], "launcher.fuse = 4: the order of trials"),
    "time of a trial": (["launcher.fuse=on", "budget.trial_seconds=100"], "budget.trial_seconds"),
    "a trial that cannot": (["launcher.fuse=4", "regularizer=ema", INLINE], "an average of weights"),
    "rounds of a recipe": (["launcher.fuse=4", "launcher.lockstep=true"], "launcher.fuse = 4: the order of trials"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_bad_words_are_refused_before_anything_is_created(what, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words, said = REFUSED[what]
    study = ["+study=recipe" if what.endswith("recipe") else "+study=lr_sweep"]
    assert run([*(study if INLINE not in words else []), *words]) == 2
    error = capsys.readouterr().err
    assert said in error and "(from the command line)" in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_ablation_tunes_by_groups_and_times_its_arms_one_by_one():
    few = ("ablation.points=2", "space.data.batch_size=choice(16, 32)", "space.optimizer.momentum=choice(0, 0.9)")
    small = (*SMALL[:1], *SMALL[2:], "model.hidden=[8]", "trainer.epochs=1", "study.seeds=2", "study.name=arms")
    run_study(["+study=batch_momentum", *few, *small, INLINE, "launcher.fuse=4"], observer=Silent())
    assert load_trials("arms.tune").fused_widths.str.fullmatch(r"1\*[234]").all()
    assert "fused_widths" not in load_trials("arms.arms")


def test_a_study_that_goes_on_trains_as_many_at_once_as_it_began_with(monkeypatch):
    words = ("model.hidden=[8]", "trainer.epochs=1", "sampler=random", INLINE, "launcher.fuse=auto")
    monkeypatch.setattr("hpsearch.study.fuse.choose", lambda config, source, study, most: (3, "measured", {}))
    search("grows", *words, "budget.points=6")
    monkeypatch.setattr("hpsearch.study.fuse.choose", lambda *_: pytest.fail("chosen before"))
    search("grows", *words, "budget.points=12")
    assert read_study(Path("studies/grows"))["fused"]["width"] == 3
