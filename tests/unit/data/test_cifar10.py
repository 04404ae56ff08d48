import hashlib
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data import cifar10
from hpsearch.data.cifar10 import CIFAR10
from tests.support.data_files import CIFAR_RECORD, write_cifar10


@pytest.fixture
def root(tmp_path):
    return write_cifar10(tmp_path / "cifar")


def archived(root):
    """The same batches in an archive instead of a folder."""
    with tarfile.open(root / cifar10.ARCHIVE, "w:gz") as archive:
        archive.add(root / cifar10.FOLDER, arcname=cifar10.FOLDER)
    shutil.rmtree(root / cifar10.FOLDER)
    return root / cifar10.ARCHIVE


def check(source):
    train, test = source.arrays(test=False), source.arrays(test=True)
    assert train.x.shape == (100, 3, 32, 32) and test.x.shape == (20, 3, 32, 32)
    assert train.x.dtype == np.uint8
    assert np.array_equal(train.x, np.broadcast_to(25 * train.y[:, None, None, None], train.x.shape))
    assert train.y[:12].tolist() == [*range(10), 0, 1]
    assert train.class_names[0] == "airplane" and len(train.class_names) == 10


def test_batches_are_read_from_their_folder_the_folder_above_and_an_archive(root):
    check(CIFAR10(root=str(root)))
    check(CIFAR10(root=str(root / cifar10.FOLDER)))
    archived(root)
    check(CIFAR10(root=str(root)))


def test_pixels_are_by_channel_row_and_column(root):
    record = np.arange(CIFAR_RECORD) % 251
    record[0] = 7
    (root / cifar10.FOLDER / "test_batch.bin").write_bytes(record.astype(np.uint8).tobytes())
    arrays = CIFAR10(root=str(root)).arrays(test=True)
    assert arrays.y.tolist() == [7]
    assert arrays.x[0, 2, 5, 9] == (1 + 2 * 1024 + 5 * 32 + 9) % 251


def test_without_root_the_archive_is_downloaded_with_its_checksum(root, tmp_path, monkeypatch):
    archive = archived(root)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    calls, cache = [], tmp_path / "cache/hpsearch/cifar-10"

    def retrieve(url, known_hash, fname, path):
        calls.append((url, known_hash, fname))
        return str(shutil.copy(archive, Path(path, fname)))

    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.retrieve", retrieve)
    monkeypatch.setattr(cifar10, "SHA256", digest)
    check(CIFAR10())
    check(CIFAR10())
    assert calls == [(cifar10.URL, f"sha256:{digest}", cifar10.ARCHIVE)]
    assert [path.name for path in cache.iterdir()] == [cifar10.ARCHIVE]
    (cache / cifar10.ARCHIVE).write_bytes(b"cut")
    check(CIFAR10())
    assert len(calls) == 2


def refused(source, test=False):
    with pytest.raises(DataError) as error:
        source.arrays(test=test)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_missing_files_are_named(root):
    (root / cifar10.FOLDER / "data_batch_4.bin").unlink()
    said = refused(CIFAR10(root=str(root)))
    assert said.startswith(f"data.root = '{root}': no data_batch_1.bin") and cifar10.ARCHIVE in said
    assert "no such folder" in refused(CIFAR10(root=str(root / "nowhere")))


def test_the_pickled_version_is_not_read(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps({"data": 1}))
    assert "cifar-10-batches-py is the pickled version, which is not read" in refused(CIFAR10(root=str(tmp_path)))


def test_damaged_files_are_named(root):
    batch = root / cifar10.FOLDER / "data_batch_2.bin"
    whole = batch.read_bytes()
    batch.write_bytes(whole[:-1])
    assert (
        refused(CIFAR10(root=str(root))) == f"{batch}: 61459 bytes, expected a multiple of 3073, the size of an image"
    )
    batch.write_bytes(whole[: 3 * CIFAR_RECORD] + b"\x0b" + whole[3 * CIFAR_RECORD + 1 :])
    assert refused(CIFAR10(root=str(root))) == f"{batch}: image 3 has label 11, expected 0 to 9"
    batch.write_bytes(b"")
    assert refused(CIFAR10(root=str(root))).startswith(f"{batch}: 0 bytes")


def test_a_damaged_archive_is_named(root):
    path = archived(root)
    path.write_bytes(path.read_bytes()[:-200])
    assert refused(CIFAR10(root=str(root))).startswith(f"{path}: damaged gzip file, expected a whole one (")
    with tarfile.open(path, "w:gz"):
        pass
    assert refused(CIFAR10(root=str(root))).startswith(f"{path}: ")


def test_root_is_a_folder():
    with pytest.raises(ConfigError, match=r"data\.root = 3: must be a folder or null"):
        CIFAR10(root=3)
