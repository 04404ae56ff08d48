import pytest

from hpsearch.base.media import Medium, media_in, media_of


def test_a_medium_is_known_by_its_path():
    medium = Medium("sample 1", 3, "png")
    assert medium.path == "media/sample 1/3.png"
    assert Medium.of(medium.path) == medium


@pytest.mark.parametrize(
    "path",
    [
        "layers.json",
        "media/3.png",
        "media/a/b/3.png",
        "media/../3.png",
        "media/.hidden/3.png",
        "media/a/x.png",
        "media/a/3.svg",
        "media/a/3.html",
        "media/a/²3.png",
        "other/a/3.png",
    ],
)
def test_other_files_are_no_media(path):
    assert Medium.of(path) is None


def test_media_are_ordered_by_name_and_epoch(tmp_path):
    for path in ("media/b/1.txt", "media/a/10.png", "media/a/9.png", "media/a/9.svg", "other.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert media_in(tmp_path) == ["media/a/9.png", "media/a/10.png", "media/b/1.txt"]
    assert media_in(tmp_path / "none") == []
    assert [medium.epoch for medium in media_of(["media/a/10.png", "media/a/9.png"])] == [9, 10]
