import errno
import os
from pathlib import Path

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.base.files import is_file, is_folder, replace_text, replacement


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "report.html"
    assert replace_text(path, "one") == path
    replace_text(path, "twö\n")
    assert path.read_bytes() == "twö\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = replace_text(tmp_path / "report.html", "old")
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_file_is_on_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    path = replace_text(tmp_path / "a.bin", "old")
    synced = []

    def fsync(file):
        synced.append((os.fstat(file).st_ino, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacement(path) as temporary:
        temporary.write_bytes(b"\0new")
    assert synced[0] == (path.stat().st_ino, b"old")
    assert [read for _, read in synced[1:]] == [b"\0new"]
    assert path.read_bytes() == b"\0new"


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = replace_text(tmp_path / "a.bin", "old")
    with pytest.raises(ZeroDivisionError), replacement(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("owner", "name"), [(Path, "replace"), (Path, "mkdir"), (Path, "write_text"), (os, "fsync")])
def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch, owner, name):
    path = replace_text(tmp_path / "report.html", "old")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _full)
        with pytest.raises(StorageError) as raised:
            replace_text(path, "new")
    assert str(raised.value) == f"cannot write {path}: No space left on device"
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root can write anywhere")
def test_a_read_only_folder_is_one_clear_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match=r"cannot write .*Permission denied"):
        replace_text(tmp_path / "report.html", "new")


@pytest.mark.parametrize("name", ["k" * 300, "a/" * 5000, "a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_none(name):
    assert not is_file(name)
    assert not is_folder(Path("here") / name)


def test_what_is_there_is_a_file_or_a_folder(tmp_path):
    path = replace_text(tmp_path / "a.txt", "a")
    assert (is_file(path), is_folder(path)) == (True, False)
    assert (is_file(tmp_path), is_folder(str(tmp_path))) == (False, True)


def _full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")
