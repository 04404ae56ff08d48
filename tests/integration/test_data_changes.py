"""The data are part of a study: what is said, refused and trained again after a file has changed."""

import sys

import numpy as np
import pytest
import torch

from hpsearch import load_trials, replay, run_study, run_trial
from hpsearch.base.errors import StorageError
from hpsearch.base.types import TrialState
from hpsearch.launch.inline import InlineLauncher
from hpsearch.progress.display import Silent
from hpsearch.trial import checkpoint
from tests.support.data_files import write_images, write_mnist, write_npz, write_table
from tests.support.stop_keys import ctrl_c

WORDS = ("launcher=inline", "tracker=none", "trainer.epochs=1", "trainer.device=cpu")
TABLE = ("data=table", "data.path=a.csv", "data.target=kind", "data.drop=[id,price]", "data.categorical=[colour]")


class Lines(Silent):
    def __init__(self):
        self.said = []

    def line(self, text):
        self.said.append(text)

    def of_data(self):
        return [line for line in self.said if "data changed" in line or "other data" in line]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpsearch.study.search.write_search_report", lambda _table, folder: folder / "report.html")
    write_table(tmp_path / "a.csv")
    return tmp_path


def search(*words, points=2, lines=None, data=TABLE, rates="0.01, 0.1, 0.2"):
    overrides = ["+study=lr_sweep", "study.name=rates", "study.seeds=1", "model=softmax", *WORDS, *data]
    given = [f"space.optimizer.lr=choice({rates})", f"budget.points={points}", *words]
    return run_study([*overrides, *given], observer=lines or Lines())


def single(*words, lines=None, data=TABLE):
    return run_trial(["model=softmax", *WORDS, *data, *words], observer=lines or Lines())


def corrected(path):
    """Correct the weight of every row, and keep the size of the file."""
    head, *rows = path.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    for row in cells:
        row[2] = row[2][:-1] + str((int(row[2][-1]) + 1) % 10)
    path.write_text("\n".join([head, *map(",".join, cells)]) + "\n")


def test_a_corrected_file_is_said_with_what_changed_and_nothing_is_added_to_the_old_results(project):
    first, before = search(), load_trials("rates")
    assert before["data.source"].nunique() == 1
    corrected(project / "a.csv")
    lines = Lines()
    again = search(lines=lines)
    assert again.already_complete and again.best.mean == first.best.mean
    (said,) = lines.of_data()
    assert said.startswith("the data changed since trials of study 'rates' were trained (data.path ")
    assert "digest" in said and said.endswith("results of 2 trials are those of the old data")
    with (project / "a.csv").open("a") as file:
        file.write((project / "a.csv").read_text().splitlines()[-1] + "\n")
    refused = r"study 'rates': the data changed since 2 trials were trained \(rows 90 -> 91; data.path .*size .* digest"
    with pytest.raises(StorageError, match=refused):
        search(points=3)
    with pytest.raises(StorageError, match=r"study.restart=true starts again"):
        search("study.grow=rates", rates="0.01, 0.1, 0.2, 0.3")
    assert load_trials("rates").equals(before)
    outcome = search("study.restart=true", points=3)
    assert outcome.counts == {TrialState.COMPLETE: 3}
    assert set(load_trials("rates")["data.source"]).isdisjoint(before["data.source"])


def test_a_file_that_was_only_touched_is_the_same_data(project):
    search()
    (project / "a.csv").write_text((project / "a.csv").read_text())
    lines = Lines()
    assert search(points=3, lines=lines).counts == {TrialState.COMPLETE: 3} and not lines.of_data()


def test_two_trials_in_one_process_read_what_is_there(project):
    first = single()
    corrected(project / "a.csv")
    second = single()
    assert first.metrics["train/loss"] != second.metrics["train/loss"]
    lines, again = Lines(), Lines()
    assert not replay("single/0/0", overrides=["launcher=inline"], observer=lines).same
    assert replay("single/1/0", overrides=["launcher=inline"], observer=again).same
    assert len(lines.of_data()) == 1 and not again.of_data()
    assert lines.said[0].startswith("single/0/0: the data changed since the trial was trained (data.path")


def test_a_trial_that_was_cut_off_does_not_go_on_from_a_checkpoint_of_other_data(project, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        saved = checkpoint.save_last
        patch.setattr(checkpoint, "save_last", lambda *args: (saved(*args), ctrl_c()))
        single("trainer.epochs=3", "trainer.checkpoint_sec=0")
    corrected(project / "a.csv")
    lines = Lines()
    outcome = single("trainer.epochs=3", "trainer.checkpoint_sec=0", lines=lines)
    assert outcome.run == "single/1/0" and [line[:32] for line in lines.of_data()] == [
        "single/0/0 is not gone on with: "
    ]
    assert (project / "studies" / "single" / "trials" / "0-0-0" / checkpoint.LAST).exists()


def test_a_checkpoint_of_other_data_is_not_restored(project):
    from hpsearch.config.compose import compose
    from hpsearch.trial.build import prepare

    config = compose(["model=softmax", *WORDS, *TABLE]).trial({}, 0).config
    job = prepare(config, "key", project / "files")
    state = job.folder, job.key, job.read, job.model, job.optimizer
    checkpoint.save_last(*state, checkpoint.Progress(epoch=1))
    assert checkpoint.restore_last(*state).epoch == 1
    corrected(project / "a.csv")
    other = prepare(config, "key", project / "files")
    assert checkpoint.restore_last(job.folder, job.key, other.read, job.model, job.optimizer) is None


def changed_npz(folder):
    content = dict(np.load(folder / "data.npz"))
    content["x"][-1] = content["x"][-2]
    np.savez(folder / "data.npz", **content)


def changed_image(folder):
    first, second, *_ = sorted((folder / "images").rglob("*.png"))
    first.write_bytes(second.read_bytes())


def changed_labels(folder):
    path = next((folder / "mnist").rglob("train-labels*"))
    content = bytearray(path.read_bytes())
    content[-1], content[-2] = 3 if content[-1] != 3 else 4, 5
    path.write_bytes(bytes(content))


KINDS = {
    "npz": (lambda f: write_npz(f / "data.npz"), ("data=npz", "data.path=data.npz"), changed_npz),
    "images": (lambda f: write_images(f / "images"), ("data=images", "data.folder=images"), changed_image),
    "idx": (lambda f: write_mnist(f / "mnist"), ("data=mnist", "data.root=mnist"), changed_labels),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_of_files_tells_a_change(project, kind):
    from hpsearch.config.compose import compose
    from hpsearch.trial.build import preflight

    write, words, change = KINDS[kind]
    write(project)
    config = compose(["model=softmax", *WORDS, *words, "data.batch_size=8"]).trial({}, 0).config
    before = preflight(config)
    change(project)
    after = preflight(config)
    assert after["state"].digest != before["state"].digest and after["state"].differences(before["state"])
    assert after["loss"] == after["loss"] and before["state"].digest == before["data.source"]


OWN = """
import numpy as np
from dataclasses import dataclass
from pathlib import Path
from torch.utils.data import Dataset
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource

def points():
    return np.loadtxt(Path(__file__).with_name("points.txt"), dtype=np.float32)

@dataclass(frozen=True, kw_only=True)
class Mine(DataSource):
    def arrays(self, test):
        x = points()
        return Arrays(x, (x[:, 0] > 0).astype(int), ("left", "right"))

class Points(Dataset):
    def __init__(self):
        self.x = points()
        self.targets = (self.x[:, 0] > 0).astype(int)
    def __len__(self):
        return len(self.x)
    def __getitem__(self, i):
        return self.x[i], self.targets[i]
"""
OWN_WORDS = {
    "source": ("data._target_=my_points.Mine",),
    "dataset": ("data=dataset", "data.dataset={_target_: my_points.Points}"),
}


@pytest.mark.parametrize("kind", OWN_WORDS)
def test_samples_of_a_source_of_ones_own_are_looked_at_by_a_worker(project, monkeypatch, kind):
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.delitem(sys.modules, "my_points", raising=False)
    (project / "my_points.py").write_text(OWN)
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.savetxt(project / "points.txt", x)
    words = ("plugins=[my_points]", "data.batch_size=8", *OWN_WORDS[kind])
    search(data=words)
    assert not search(data=words).exit_code
    x[-1] = x[0] + 1.5
    np.savetxt(project / "points.txt", x)
    with pytest.raises(StorageError, match=r"changed since 2 trials were trained \(digest of the samples"):
        search(points=3, data=words)
    assert search("study.restart=true", points=3, data=words).counts == {TrialState.COMPLETE: 3}


def test_the_weights_that_a_trial_starts_from_are_part_of_it(project):
    from safetensors.torch import load_file, save_file

    single()
    weights = project / "studies" / "single" / "trials" / "0-0-0" / "best.safetensors"
    words = ("finetune=all", "finetune.source=single/0/0", "optimizer=sgd")
    search(*words)
    save_file({name: value + torch.ones(()) for name, value in load_file(weights).items()}, weights)
    with pytest.raises(StorageError, match=r"data changed since 2 trials were trained \(finetune.source .*digest"):
        search(*words, points=3)


def test_a_prior_of_other_data_is_said(project):
    search()
    corrected(project / "a.csv")
    lines = Lines()
    search("study.name=next", "sampler=tpe", "sampler.prior=rates", lines=lines)
    (said,) = lines.of_data()
    assert said.startswith("sampler.prior = rates: its points are of other data (data.path ")


def test_data_that_change_while_a_study_runs_fail_its_trials(project, monkeypatch):
    submit, submitted = InlineLauncher.submit, []

    def corrects(launcher, *given):
        submitted.append(given)
        if len(submitted) == 2:
            corrected(project / "a.csv")
        submit(launcher, *given)

    monkeypatch.setattr(InlineLauncher, "submit", corrects)
    search()
    trials = load_trials("rates")
    assert list(trials.state) == ["COMPLETE", "FAILED"]
    assert trials.reason[1].startswith("the data changed since this command began; run it again")


def test_trials_that_failed_begin_anew_on_other_data(project):
    text = (project / "a.csv").read_text()

    class Breaks(Lines):
        def update(self, progress):
            if not self.said:
                (project / "a.csv").write_text(text + "x,1,2\n")
                self.said.append("broken")

    search("launcher.retries=0", lines=Breaks())
    assert set(load_trials("rates").state) == {"FAILED"}
    (project / "a.csv").write_text(text + text.splitlines()[-1] + "\n")
    lines = Lines()
    assert search(lines=lines).counts == {TrialState.COMPLETE: 2}
    assert lines.of_data()[0].endswith("2 trials that failed or had not ended begin anew")
