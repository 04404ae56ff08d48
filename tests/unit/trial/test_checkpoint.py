import os

import pytest
import torch
from safetensors import safe_open

from hpsearch.base.errors import StorageError
from hpsearch.base.formats import FORMAT, TAG
from hpsearch.base.types import Report
from hpsearch.trial import checkpoint
from hpsearch.trial.checkpoint import Best, Progress
from hpsearch.trial.watch import Limit
from tests.support.jobs import make_job, same_weights, weights


def progress() -> Progress:
    reports = [
        Report(0, 0, {"valid/acc": 0.1}, time=1.25),
        Report(1, 6, {"valid/acc": 0.5, "train/loss": float("nan")}, ((1, 2.5), (5, 0.1)), time=2.5),
    ]
    return Progress(1, Limit(0.7, "the untrained model", 10.0), Best(0.5, 1, {"w": torch.arange(3.0)}), reports)


def trained_job(folder, **options):
    job = make_job(folder, **options)
    job.loss(job.model(job.splits.train.x), job.splits.train.y).backward()
    job.optimizer.step()
    return job


def save(job, key="key", what=None):
    checkpoint.save_last(job.folder, key, job.read, job.model, job.optimizer, what or progress())


def restore(job, key="key"):
    return checkpoint.restore_last(job.folder, key, job.read, job.model, job.optimizer)


def test_what_is_saved_is_restored(tmp_path):
    job = trained_job(tmp_path)
    save(job)
    fresh = make_job(tmp_path, seed=2)
    restored = restore(fresh)
    assert same_weights(weights(fresh), weights(job))
    assert repr(fresh.optimizer.state_dict()) == repr(job.optimizer.state_dict())
    assert repr(restored) == repr(progress())


def test_no_file_is_no_checkpoint(tmp_path):
    assert restore(make_job(tmp_path / "nowhere")) is None


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def garble(path):
    path.write_bytes(os.urandom(5000))


def flip_a_weight(path):
    data = path.read_bytes()
    weight = next(iter(torch.load(path, weights_only=True)["model"].values())).numpy().tobytes()
    assert data.count(weight) == 1
    path.write_bytes(data.replace(weight, bytes(255 - byte for byte in weight)))


def hide_code(path):
    torch.save({"key": "key", "model": print}, path)


def hold_a_list(path):
    torch.save([1, 2], path)


@pytest.mark.parametrize(
    "damage",
    [truncate, empty, garble, flip_a_weight, hide_code, hold_a_list],
)
def test_a_damaged_checkpoint_is_ignored(tmp_path, damage):
    save(trained_job(tmp_path))
    damage(tmp_path / checkpoint.LAST)
    fresh = make_job(tmp_path)
    before = weights(fresh)
    assert restore(fresh) is None
    assert same_weights(weights(fresh), before)
    assert not fresh.optimizer.state_dict()["state"]


def test_a_checkpoint_without_a_format_is_read_and_one_of_a_newer_format_is_refused(tmp_path):
    path = tmp_path / checkpoint.LAST
    save(trained_job(tmp_path))
    state = torch.load(path, weights_only=True)
    assert state.pop("format") == FORMAT
    torch.save(state, path)
    assert restore(make_job(tmp_path)) is not None
    torch.save(state | {"format": FORMAT + 1}, path)
    with pytest.raises(StorageError, match=rf"last\.pt: is of format {FORMAT + 1}, .*: update hpsearch$"):
        restore(make_job(tmp_path))


def test_a_checkpoint_of_another_key_or_another_model_is_ignored(tmp_path):
    save(trained_job(tmp_path))
    assert restore(make_job(tmp_path), key="other") is None
    other = make_job(tmp_path, make_model=lambda: torch.nn.Linear(6, 3))
    before = weights(other)
    assert restore(other) is None
    assert same_weights(weights(other), before)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    job = trained_job(tmp_path)
    save(job)
    old = (tmp_path / checkpoint.LAST).read_bytes()

    def full_disk(state, file):
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(job, what=Progress())
    assert (tmp_path / checkpoint.LAST).read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.LAST]


def test_a_file_is_complete_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: done.append(name) or real(*args))
    save(trained_job(tmp_path))
    assert done[:2] == ["fsync", "replace"]


def test_best_weights_are_readable_by_safetensors_alone(tmp_path):
    tied = torch.nn.Linear(4, 4)
    model = torch.nn.Sequential(tied, tied, torch.nn.Conv2d(2, 2, 3).to(memory_format=torch.channels_last))
    best = Best(0.75, 3, checkpoint.copy_weights(model))
    assert checkpoint.save_best(tmp_path / "new", best, "abc") == checkpoint.BEST
    with safe_open(tmp_path / "new" / checkpoint.BEST, "pt") as file:
        assert file.metadata() == {"epoch": "3", "score": "0.75", "key": "abc", TAG: str(FORMAT)}
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    assert same_weights(stored, model.state_dict())


def test_copies_do_not_follow_the_model():
    model = torch.nn.Linear(2, 2)
    copies = checkpoint.copy_weights(model)
    before = copies["weight"].clone()
    model.weight.data.add_(1)
    assert torch.equal(copies["weight"], before)
