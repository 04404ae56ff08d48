"""Paths of the driver's, as workers read them."""

import pickle
from functools import partial

import pytest

from hpsearch.base.sent import FOLDER, SentFile, copy_of, sent_files


def test_a_path_is_that_of_the_copy_where_there_is_one(tmp_path, monkeypatch):
    packed = pickle.dumps({"weights": SentFile("/data/a.pt"), "other": "/data/a.pt"})
    assert pickle.loads(packed)["weights"] == "/data/a.pt"
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert pickle.loads(packed)["weights"] == "/data/a.pt"
    copy = copy_of("/data/a.pt", tmp_path)
    copy.parent.mkdir()
    copy.touch()
    found = pickle.loads(packed)
    assert found == {"weights": str(tmp_path / "data/a.pt"), "other": "/data/a.pt"}
    assert type(found["weights"]) is SentFile


@pytest.mark.parametrize(
    ("value", "files"),
    [
        (SentFile("/a"), ["/a"]),
        ("/a", []),
        ((print, ({"finetune": {"source": SentFile("/a")}}, [SentFile("/b"), None])), ["/a", "/b"]),
        ((partial(print, SentFile("/a"), end=SentFile("/b")), (3,)), ["/a", "/b"]),
    ],
)
def test_the_files_that_a_value_names(value, files):
    assert list(sent_files(value)) == files
