import pytest

from hpsearch.report.files import replace_text


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "report.html"
    assert replace_text(path, "one") == path
    replace_text(path, "twö\n")
    assert path.read_bytes() == "twö\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = replace_text(tmp_path / "report.html", "old")
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
