"""Bad input: one clear line that names the value, exit code 2, no traceback, nothing created, nothing lost."""

import gzip
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.cli import run
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = "k" * 300  # longer than a name of a file may be
STUDY = "+study=lr_sweep"
INLINE = "launcher=inline"

WORDS = {
    "unknown study": ([STUDY.replace("sweep", "swep")], ["lr_swep", "did you mean 'lr_sweep'"]),
    "no study of that kind": (["+study=bogus"], ["bogus", "lr_sweep"]),
    "unknown option of a group": ([STUDY, "model=lenett"], ["lenett", "did you mean 'lenet'"]),
    "misspelt key": ([STUDY, "optimizer.momentun=0.5"], ["optimizer.momentun", "did you mean 'optimizer.momentum'"]),
    "misspelt root key": ([STUDY, "sede=1"], ["sede", "did you mean 'seed'"]),
    "wrong type": ([STUDY, "trainer.epochs=many"], ["trainer.epochs", "many", "command line"]),
    "bool as a number": ([STUDY, "trainer.epochs=true"], ["trainer.epochs", "True"]),
    "negative learning rate": (["optimizer.lr=-0.1"], ["optimizer.lr", "-0.1", "(0, inf)"]),
    "zero learning rate": (["optimizer.lr=0"], ["optimizer.lr", "0", "(0, inf)"]),
    "two averages of the weights": (
        ["regularizer=[ema,swa]"],
        ["regularizer = [", "ema", "swa", "only one of these at a time"],
    ),
    "an average that begins after the end": (
        ["regularizer=swa", "regularizer.swa.start=7", "trainer.epochs=4"],
        ["regularizer.swa.start = 7: the trial has 4 epochs"],
    ),
    "a searched average that begins after the end": (
        [STUDY, "regularizer=swa", "space.regularizer.swa.start=choice(0.5, 7)", "trainer.epochs=4"],
        ["regularizer.swa.start = 7: the trial has 4 epochs", "met with regularizer.swa.start=7"],
    ),
    "a decay in place of a time constant": (
        ["regularizer=ema", "regularizer.ema.decay=0.999"],
        ["regularizer.ema.decay"],
    ),
    "balanced sampling of numbers": (
        ["data=diabetes", "model=linear", "loss=mse", "objective=valid_loss", "data.sampling=balanced"],
        ["data.sampling = 'balanced': a regression has no classes"],
    ),
    "classes evened out twice": (
        [STUDY, "space.data.sampling=choice(null, balanced)", "data.class_weights=balanced"],
        ["data.sampling = 'balanced'", "data.class_weights", "use one", "met with data.sampling=balanced"],
    ),
    "nan learning rate": (["optimizer.lr=nan"], ["optimizer.lr", "nan"]),
    "negative learning rates in the space": (
        [STUDY, "space.optimizer.lr=interval(-1, 1)"],
        ["optimizer.lr", "-1", "(0, inf)"],
    ),
    "a stage behind nothing that gives what it needs": (
        ["+study=recipe", "stage=[data_check,fine]"],
        ["fine needs fine_space", "put coarse in front of fine"],
    ),
    "a stage that fails in an unknown way": (
        ["+study=recipe", "stages.lr_find.on_fail=never"],
        ["stages.lr_find.on_fail", "'never'", "stop, continue"],
    ),
    "numbers under a recipe for classes": (
        ["+study=recipe", "data=diabetes", "objective=valid_loss"],
        ["CrossEntropyLoss", "loss=mse"],
    ),
    "a recipe's objective that nothing reports": (
        ["+study=recipe", "data=diabetes", "loss=mse"],
        ["valid/acc", "valid/loss"],
    ),
    "stages without a study": (["stage=coarse"], ["stage = coarse", "+study=recipe", "command line"]),
    "a sampler for a whole recipe": (
        ["+study=recipe", "sampler=tpe"],
        ["sampler=tpe", "every stage brings its own", "stages.coarse.points"],
    ),
    "a budget for a whole ablation": (
        ["+study=momentum", "budget.points=4"],
        ["budget.points=4", "every stage brings its own", "ablation.points"],
    ),
    "a recipe's model that cannot be built": (["+study=recipe", "model.hidden=[-3]"], ["model.hidden[0]", "-3"]),
    "a recipe's space without numbers": (["+study=recipe", "space.optimizer.lr=choice(a)"], ["optimizer.lr", "'a'"]),
    "empty choice": ([STUDY, "space.optimizer.lr=choice()"], ["optimizer.lr", "empty choice"]),
    "reversed interval": ([STUDY, "space.optimizer.lr=interval(1, 0.1)"], ["optimizer.lr", "reversed"]),
    "log interval from 0": ([STUDY, "space.optimizer.lr=tag(log, interval(0, 1))"], ["optimizer.lr", "above 0"]),
    "grid over an interval without points": ([STUDY, "sampler.points=null"], ["optimizer.lr", "sampler.points"]),
    "space key that is not in the config": (
        [STUDY, "space.optimizer.lrr=choice(0.1)"],
        ["optimizer.lrr", "did you mean 'optimizer.lr'"],
    ),
    "a range with step 0": ([STUDY, "space.optimizer.lr=range(0.1, 1, 0)"], ["optimizer.lr", "step of 0"]),
    "an empty range": ([STUDY, "space.optimizer.lr=range(1, 0.1, 0.1)"], ["optimizer.lr", "range is empty"]),
    "an endless range": ([STUDY, "space.optimizer.lr=range(0, 1, 1e-300)"], ["optimizer.lr", "too many"]),
    "an interval of one value": ([STUDY, "space.optimizer.lr=interval(1, 1)"], ["optimizer.lr", "single value"]),
    "an interval wider than floats": (
        [STUDY, "space.optimizer.lr=interval(-1e308, 1e308)"],
        ["optimizer.lr", "too wide"],
    ),
    "log interval from below 0": (
        [STUDY, "space.optimizer.lr=tag(log, interval(-1, 1))"],
        ["optimizer.lr", "above 0", "-1"],
    ),
    "choices that cannot be ordered": (
        [STUDY, "space.optimizer.lr=sort(0.1, a)"],
        ["optimizer.lr", "cannot be compared"],
    ),
    "choices that are the same": ([STUDY, "space.optimizer.lr=choice(1, 1.0)"], ["optimizer.lr", "1.0", "twice", "1"]),
    "nan inside a choice": ([STUDY, "space.model.hidden=choice([8], [nan])"], ["model.hidden", "nan"]),
    "numbers as keys inside a choice": ([STUDY, "space.model.hidden=choice({1: 2}, [8])"], ["model.hidden", "key"]),
    "a condition on an option that does not exist": (
        [STUDY, "space.model=choice(mlp, lenet)", "space[model=lenett].model.kernel_size=choice(3, 5)"],
        ["model=lenett", "no such option", "did you mean 'lenet'"],
    ),
    "a condition on something that does not exist": (
        [STUDY, "space[modle=lenet].model.kernel_size=choice(3, 5)"],
        ["modle", "did you mean 'model'"],
    ),
    "a condition on an option's key of another option": (
        [STUDY, "space.model=choice(mlp, lenet)", "space[model=mlp].model.kernel_size=choice(3, 5)"],
        ["model=mlp/model.kernel_size", "no such key"],
    ),
    "a key searched always and under a condition": (
        [STUDY, "space.model=choice(mlp, lenet)", "space[model=mlp].optimizer.lr=choice(0.1, 0.2)"],
        ["optimizer.lr", "searched twice"],
    ),
    "a value and a space at once": (
        [STUDY, "optimizer.lr=0.1", "space.optimizer.lr=choice(0.1, 0.2)"],
        ["optimizer.lr", "a value and a space at once"],
    ),
    "a group and a space of it at once": (
        [STUDY, "model=lenet", "space.model=choice(mlp, lenet)"],
        ["model", "a value and a space at once"],
    ),
    "brute force over an interval": (
        [STUDY, "sampler=brute_force"],
        ["brute_force", "optimizer.lr", "sampler=grid"],
    ),
    "a grid without end": (
        [STUDY, "sampler.points=1000", "space.optimizer.momentum=interval(0, 0.9)"],
        ["1000000 combinations", "100000"],
    ),
    "CMA-ES over one number": (
        [STUDY, "sampler=cmaes", "budget.points=10"],
        ["cmaes", "numeric"],
    ),
    "CMA-ES over categories": (
        [STUDY, "sampler=cmaes", "budget.points=10", "~space", "space.model=choice(mlp, softmax)"],
        ["cmaes", "numeric"],
    ),
    "a list without points": ([STUDY, "sampler=manual"], ["sampler.points", "list of points"]),
    "a listed point with a misspelt key": (
        [STUDY, "sampler=manual", "sampler.points=[{optimizer.lrr: 0.1}]"],
        ["sampler.points[0]", "optimizer.lrr", "did you mean 'optimizer.lr'"],
    ),
    "a listed point without a key": (
        [STUDY, "sampler=manual", "sampler.points=[{}]"],
        ["sampler.points[0]", "optimizer.lr is missing"],
    ),
    "a listed point outside the space": (
        [STUDY, "sampler=manual", "sampler.points=[{optimizer.lr: 0.1}, {optimizer.lr: 20}]"],
        ["sampler.points[1]", "optimizer.lr = 20", "interval(0.001, 10.0)"],
    ),
    "a listed point twice": (
        [STUDY, "sampler=manual", "sampler.points=[{optimizer.lr: 1}, {optimizer.lr: 1.0}]"],
        ["sampler.points[1]", "same as sampler.points[0]"],
    ),
    "unclosed bracket": ([STUDY, "space.optimizer.lr=choice(0.1"], ["optimizer.lr", "bracket"]),
    "seeds in the space": ([STUDY, "space.seed=choice(1, 2)"], ["seed"]),
    "searched options that exclude each other": (
        [STUDY, INLINE, "space.scheduler=choice(constant, one_cycle)", "space.optimizer=choice(momentum, adagrad)"],
        ["scheduler.cycle_momentum", "no momentum", "met with", "scheduler=one_cycle, optimizer=adagrad"],
    ),
    "nothing left to search": ([STUDY, "~space.optimizer.lr"], ["space", "empty"]),
    "metric that no report has": (
        [STUDY, INLINE, "objective.metric=valid/accuracy"],
        ["objective.metric", "valid/accuracy", "did you mean 'valid/acc'"],
    ),
    "the test split as objective": ([STUDY, INLINE, "objective.metric=test/acc"], ["test/acc"]),
    "the test split in a search": ([STUDY, INLINE, "trainer.test=true"], ["trainer.test", "test split"]),
    "unknown direction": ([STUDY, "objective.direction=up"], ["objective.direction", "up", "maximize"]),
    "batch size 0": ([STUDY, "data.batch_size=0"], ["data.batch_size", "0"]),
    "batch size above the data": ([STUDY, INLINE, "data.batch_size=50000"], ["data.batch_size", "50000"]),
    "missing data folder": (
        [INLINE, "data=fashion_mnist", "data.root=/nowhere/at/all"],
        ["/nowhere/at/all"],
    ),
    "random without budget": ([STUDY, "sampler=random", "budget.points=null"], ["budget.points"]),
    "unknown scheme of a tracking store": ([STUDY, INLINE, "tracker.uri=ftp://somewhere"], ["ftp://somewhere"]),
    "no such command": (["reprot"], ["reprot", "did you mean 'report'"]),
    "no such study to report": (["report", "lr_sweep"], ["lr_sweep"]),
    "a search's budget for a single trial": (
        ["budget.seconds=5", "optimizer.lr=.1"],
        ["budget.seconds=5", "budget.trial_seconds", "+study=search"],
    ),
    "a search's budget among a trial's": (["budget={trial_seconds: 5, points: 3}"], ["budget={", "+study=search"]),
    "a sampler for a single trial": (["sampler=tpe"], ["sampler=tpe", "+study=search"]),
    "seeds of a study for a single trial": (["study.seeds=3"], ["study.seeds=3", "+study=search"]),
    "a budget for a recipe, as a table": (["+study=recipe", "budget={seconds: 5}"], ["budget={", "every stage brings"]),
    "another rate for a replay": (
        ["replay", "single/0/0", "optimizer.lr=1"],
        ["no study 'single'"],
    ),
    "an option for a replay": (
        ["replay", "single/0/0", "optimizer=adam"],
        ["optimizer=adam", "launcher, tracker, plugins alone"],
    ),
    "a study for a curvature": (
        ["curvature", "single/0/0", "+study=search"],
        ["+study=search", "launcher, tracker, plugins alone"],
    ),
    "a space for a sync": (
        ["sync", "space.optimizer.lr=choice(1)"],
        ["space.optimizer.lr=choice(1)", "tracker, plugins, storage alone"],
    ),
    "a rate for a report": (["report", "lr_sweep", "optimizer.lr=1"], ["optimizer.lr=1"]),
    "a launcher for the ui": (["ui", "launcher=inline"], ["launcher=inline", "tracker, plugins alone"]),
    "no such trial to replay": (["replay", "lr_sweep/1/0"], ["lr_sweep"]),
    "not a run": (["replay", "what?"], ["what?"]),
    "multirun": (["-m", "optimizer.lr=0.1,0.2"], ["+study="]),
    "endless option of a group": ([STUDY, f"model={ENDLESS}"], ["model", ENDLESS[:20]]),
    "endless study": ([f"+study={ENDLESS}"], [ENDLESS[:20]]),
    "help of an endless option": (["--help", f"model={ENDLESS}"], ["model", ENDLESS[:20]]),
    "endless name for the doctor": (["doctor", ENDLESS], ["doctor: no study and no folder", ENDLESS[:20]]),
    "a port that no machine has": (
        [STUDY, "launcher=slurm", "launcher.port=99999999"],
        ["launcher.port = 99999999: must be a whole number from 0 to 65535", "command line"],
    ),
    "options of sbatch without their names": (
        [STUDY, "launcher=slurm", "launcher.sbatch=[a, b]"],
        ["launcher.sbatch = ['a', 'b']: must be a table", "command line"],
    ),
    "the address of a database that is a number": (
        [STUDY, INLINE, "storage=postgres", "storage.url=3"],
        ["storage.url = 3: must be text", "command line"],
    ),
    "the address of a tracking store that is a number": (
        [STUDY, "tracker.uri=3"],
        ["tracker.uri = 3: must be text", "command line"],
    ),
    "a lease of no time": (
        [STUDY, INLINE, "storage=postgres", "storage.url=postgresql://host/db", "storage.lease_sec=0"],
        ["storage.lease_sec = 0: must be a number in [1, inf)", "command line"],
    ),
    "a tracking store that is no address": (
        [STUDY, "tracker.uri='me:hunter2@host:5000'"],
        ["tracker.uri: '***@host:5000' is no tracking store"],
    ),
    "missing config folder": (["--config-dir", "/nowhere/conf", STUDY], ["/nowhere/conf"]),
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def one_line(capsys) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("hpsearch: ")
    return lines[0]


@pytest.mark.parametrize("case", WORDS)
def test_bad_words_are_refused_in_one_line_and_leave_nothing(case, capsys, tmp_path):
    words, said = WORDS[case]
    inline = [] if any("launcher" in word for word in words) else ["launcher=inline"]  # the check needs no worker
    assert run([*words, *inline]) == 2
    line = one_line(capsys)
    for part in said:
        assert part in line, line
    assert list(tmp_path.iterdir()) == []


def idx(*shape: int, magic: int | None = None, kind: int = 8) -> bytes:
    header = struct.pack(">I", magic if magic is not None else kind << 8 | len(shape))
    size = 1
    for axis in shape:
        size *= axis
    return header + struct.pack(f">{len(shape)}I", *shape) + bytes(i % 10 for i in range(size))


def fashion(folder: Path, images: bytes | None = None, labels: bytes | None = None, raw: bytes | None = None) -> None:
    folder.mkdir()
    for part, n in (("train", 200), ("t10k", 50)):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(n, 28, 28)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(n)))
    if images is not None:
        (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    if labels is not None:
        (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    if raw is not None:
        (folder / "train-images-idx3-ubyte.gz").write_bytes(raw)


FILES = {
    "truncated": ({"images": idx(200, 28, 28)[:-100]}, ["train-images-idx3-ubyte.gz", "200 x 28 x 28"]),
    "wrong magic number": ({"images": idx(200, 28, 28, magic=0x1234)}, ["train-images-idx3-ubyte.gz", "magic"]),
    "labels and images of different length": ({"labels": idx(199)}, ["200", "199"]),
    "not gzip": ({"raw": b"plain text"}, ["train-images-idx3-ubyte.gz", "gzip"]),
    "truncated gzip": ({"raw": gzip.compress(idx(200, 28, 28))[:-40]}, ["train-images-idx3-ubyte.gz"]),
}


@pytest.mark.parametrize("case", FILES)
def test_damaged_data_files_are_named_and_nothing_is_created(case, capsys, tmp_path):
    damage, said = FILES[case]
    fashion(tmp_path / "data", **damage)
    before = sorted(tmp_path.rglob("*"))
    assert run([STUDY, INLINE, "data=fashion_mnist", f"data.root={tmp_path / 'data'}", "model.hidden=[8]"]) == 2
    line = one_line(capsys)
    for part in said:
        assert part in line, line
    assert sorted(tmp_path.rglob("*")) == before


SMALL = [STUDY, INLINE, "tracker=none", "trainer.epochs=1", "study.seeds=1", "study.name=small"]
SPACE = "space.optimizer.lr=choice(0.01, 0.1)"


def test_a_study_whose_space_has_changed_is_refused_with_the_difference(capsys, tmp_path):
    assert run([*SMALL, SPACE]) == 0
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file() and path.name != "lock"}
    capsys.readouterr()
    assert run([*SMALL, "space.optimizer.lr=choice(0.01, 0.2)"]) == 2
    line = one_line(capsys)
    for part in ("small", "choice(0.01, 0.1)", "choice(0.01, 0.2)", "study.restart=true"):
        assert part in line, line
    after = {path: path.read_bytes() for path in before if path.name != "owner.json"}
    assert after == {path: content for path, content in before.items() if path.name != "owner.json"}


def test_a_second_driver_on_a_running_study_is_refused_and_the_first_goes_on(capsys, tmp_path):
    words = [
        STUDY,
        "tracker=none",
        "trainer.epochs=60",
        "study.seeds=1",
        "study.confirm=0",
        "study.name=small",
        SPACE,
        "launcher.workers=1",
    ]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *words], cwd=tmp_path, env=env, stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: first.poll() is not None or [*tmp_path.glob("studies/small/events/*-*.jsonl")])
        assert first.poll() is None
        assert run(words) == 2
        line = one_line(capsys)
        assert "small" in line and "running already" in line and str(first.pid) in line
    finally:
        assert first.wait(60) == 0


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv of util-linux")
def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    tmp_path.chmod(0o555)
    capability = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*capability, sys.executable, "-m", "hpsearch", *SMALL, SPACE]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    tmp_path.chmod(0o755)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert str(tmp_path) in done.stderr and "Permission denied" in done.stderr
    assert list(tmp_path.iterdir()) == []
