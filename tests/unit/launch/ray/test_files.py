import os
from pathlib import Path

import pytest

from hpsearch.launch.ray import files
from hpsearch.launch.ray.files import Folder, Writer, pieces_in
from hpsearch.launch.ray.terms import Piece


def copied(folder: Folder, there: Path) -> list[str]:
    writer, told = Writer(durable=False), []
    for piece in folder.news():
        writer.take(piece, there)
        told.append(piece.name)
    return told


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def here(tmp_path):
    (tmp_path / "here" / "media").mkdir(parents=True)
    (tmp_path / "here" / "last.pt").write_bytes(b"weights")
    (tmp_path / "here" / "media" / "a.json").write_bytes(b"")
    return tmp_path / "here"


def test_what_changed_is_sent_once_and_what_is_gone_goes(here, tmp_path):
    folder, there = Folder(here, "/study/0"), tmp_path / "there"
    assert sorted(copied(folder, there)) == ["last.pt", "media/a.json"]
    assert contents(there) == contents(here)
    assert copied(folder, there) == []
    (here / "last.pt").write_bytes(b"heavier")
    (here / "media" / "a.json").unlink()
    assert copied(folder, there) == ["last.pt", "media/a.json"]
    assert contents(there) == {"last.pt": b"heavier"}


def test_a_file_of_the_same_size_and_time_that_took_the_place_of_another_is_sent(here, tmp_path):
    folder = Folder(here, "/study/0")
    list(folder.news())
    before = (here / "last.pt").stat()
    (here / "new").write_bytes(b"WEIGHTS")
    os.utime(here / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (here / "new").replace(here / "last.pt")
    assert copied(folder, tmp_path / "there") == ["last.pt"]


def test_what_was_taken_for_known_is_not_sent_but_its_end_is_told(here, tmp_path):
    folder = Folder(here, "/study/0")
    folder.take()
    assert list(folder.news()) == []
    (here / "last.pt").unlink()
    assert list(folder.news()) == [Piece("/study/0", "last.pt", None)]


def test_large_files_go_in_pieces_and_appear_in_one_move(here, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PIECE", 3)
    there = tmp_path / "there"
    there.mkdir()
    (there / "last.pt").write_bytes(b"old")
    sent = [piece for piece in pieces_in(here) if piece.name == "last.pt"]
    assert [(piece.data, piece.first, piece.last) for piece in sent] == [
        (b"wei", True, False), (b"ght", False, False), (b"s", False, True)
    ]  # fmt: skip
    writer = Writer(durable=True)
    for piece in sent[:-1]:
        writer.take(piece, there)
        assert (there / "last.pt").read_bytes() == b"old"
    writer.take(sent[-1], there)
    assert contents(there) == {"last.pt": b"weights"}


def test_a_file_that_is_sent_again_in_the_middle_begins_anew(tmp_path):
    writer = Writer(durable=False)
    writer.take(Piece("f", "a", b"1", last=False), tmp_path)
    writer.take(Piece("f", "a", b"2", last=False), tmp_path)
    writer.take(Piece("f", "a", b"3", first=False), tmp_path)
    assert (tmp_path / "a").read_bytes() == b"23"


def test_links_and_temporary_files_stay(here, tmp_path):
    (here / "link").symlink_to("/etc/passwd")
    (here / "last.pt.949aba4a-33cc6fce-27792-83479.new").write_bytes(b"half")
    assert sorted(copied(Folder(here, "/study/0"), tmp_path / "there")) == ["last.pt", "media/a.json"]


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be named"):
        Writer(durable=False).take(Piece("f", name, b""), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
