"""Digests of files, and what is read again for them."""

import json
import os
from pathlib import Path

import pytest

from hpsearch.base import contents
from hpsearch.base.contents import Content, DataState, Place, content_of, contents_of, named_in


@pytest.fixture
def reads(monkeypatch):
    """Names of the files whose bytes are read; what was read in this process is forgotten."""
    read, opened = [], Path.open
    monkeypatch.setattr(contents, "_seen", {})

    def noted(self, mode="r", *rest, **more):
        if mode == "rb":
            read.append(self.name)
        return opened(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", noted)
    return read


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def settled(monkeypatch):
    """Let files be old enough at once."""
    monkeypatch.setattr(contents, "SETTLED_SEC", -60.0)


def test_a_file_that_is_as_it_was_is_not_read_again_in_another_process_either(tmp_path, reads, settled, monkeypatch):
    place = Place(str(written(tmp_path / "a.csv", "x,y\n1,2\n")))
    first = content_of(place)
    assert first is not None and (first.size, first.files) == (8, 1) and content_of(place) == first
    assert reads == ["a.csv"]
    monkeypatch.setattr(contents, "_seen", {})
    assert content_of(place, known=first) == first and reads == ["a.csv"]


@pytest.mark.parametrize("change", ["bytes", "inode", "restored time"])
def test_a_file_that_was_touched_is_read_again(tmp_path, reads, settled, change):
    file = written(tmp_path / "a.csv", "x,y\n1,2\n")
    place, before = Place(str(file)), file.stat()
    first = content_of(place)
    if change == "inode":
        written(tmp_path / "new", "x,y\n1,3\n").replace(file)
    else:
        written(file, "x,y\n1,3\n")
    if change == "restored time":
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_of(place).digest != first.digest and content_of(place).size == first.size


def test_a_file_that_has_just_been_written_is_read_again(tmp_path, reads):
    place = Place(str(written(tmp_path / "a.csv", "x")))
    assert content_of(place) == content_of(place)
    assert reads == ["a.csv", "a.csv"]


def test_of_a_folder_names_and_bytes_of_the_files_that_count_matter(tmp_path):
    written(tmp_path / "data" / "a" / "1.png", "one")
    written(tmp_path / "data" / "a" / "notes.txt", "these do not count")
    written(tmp_path / "data" / "a" / ".hidden.png", "nor does this")
    place = Place(str(tmp_path / "data"), (".png",))
    first = content_of(place)
    assert (first.files, first.size) == (1, 3)
    written(tmp_path / "data" / "a" / "notes.txt", "others")
    assert content_of(place) == first
    (tmp_path / "data" / "a" / "1.png").rename(tmp_path / "data" / "a" / "2.png")
    assert content_of(place).digest != first.digest
    (tmp_path / "data" / "b").symlink_to(tmp_path / "data", target_is_directory=True)
    assert content_of(place).files == 1, "a folder that holds itself is entered once"


def test_a_state_survives_json_and_says_what_is_other_than_before(tmp_path):
    table, gone = written(tmp_path / "a.csv", "x,y\n1,2\n"), written(tmp_path / "b.csv", "x")
    places = {"data.path": Place(str(table)), "data.test_path": Place(str(gone))}
    before = DataState(contents_of(places), "aa", 10, (3,))
    assert DataState.of(json.loads(json.dumps(before.fields))) == before
    digests = [content.digest for content in before.files.values()]
    written(table, "x,y\n1,2\n3,4\n")
    gone.unlink()
    now = DataState(contents_of(places), "bb", 11, (4,))
    assert now.digest != before.digest
    assert now.differences(before) == [
        "rows 10 -> 11",
        "columns 3 -> 4",
        f"data.path {table}: size 8 -> 12 bytes, digest {digests[0]} -> {now.files['data.path'].digest}",
        f"data.test_path {gone} is gone",
        "digest of the samples aa -> bb",
    ]
    assert before.differences(before) == [] and DataState().digest == ""


def test_texts_that_name_what_is_there_are_places_but_not_what_holds_the_working_folder(tmp_path, monkeypatch):
    written(tmp_path / "work" / "a.csv", "x")
    written(tmp_path / "work" / "images" / "1.png", "x")
    monkeypatch.chdir(tmp_path / "work")
    values = {"path": "a.csv", "root": Path("images"), "here": ".", "up": "..", "scaling": "none", "n": 3, "empty": ""}
    work = tmp_path / "work"
    assert named_in(values) == {"path": Place(str(work / "a.csv")), "root": Place(str(work / "images"))}
    assert named_in({"name": "a\0b", "long": "x" * 5000, "home": "~nobody-of-this-name/x"}) == {}


def test_a_content_reads_its_own_fields():
    fields = {"place": {"path": "a", "endings": [".png"]}, "digest": "d", "size": 1, "files": 2, "stamp": "s"}
    assert Content.of(fields) == Content(Place("a", (".png",)), "d", 1, 2, "s")
