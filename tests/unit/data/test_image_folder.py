import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.image_folder import ImageFolder
from tests.support.data_files import write_images


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path / "images", per_class=10)


def test_classes_are_the_subfolders_in_order(folder):
    (folder / "cat" / "notes.txt").write_text("passed over")
    (folder / ".cache").mkdir()
    arrays = ImageFolder(folder=str(folder)).arrays(test=False)
    assert arrays.x.shape == (20, 3, 8, 8) and arrays.x.dtype == np.uint8
    assert arrays.class_names == ("cat", "dog") and arrays.y.tolist() == [0] * 10 + [1] * 10
    with Image.open(folder / "dog" / "004.png") as image:
        assert np.array_equal(arrays.x[14], np.moveaxis(np.asarray(image), 2, 0))


def test_grey_and_stretched(folder):
    Image.new("RGB", (30, 11), (200, 200, 200)).save(folder / "cat" / "000.png")
    arrays = ImageFolder(folder=str(folder), grey=True, size=[6, 9]).arrays(test=False)
    assert arrays.x.shape == (20, 1, 6, 9)
    assert (arrays.x[0] == 200).all()
    assert ImageFolder(folder=str(folder), size=5).arrays(test=False).x.shape == (20, 3, 5, 5)


def test_transparent_palette_and_turned_images(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    Image.new("RGBA", (4, 2), (10, 20, 30, 128)).save(tmp_path / "a" / "1.png")
    Image.new("RGB", (4, 2), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE).save(
        tmp_path / "a" / "2.png", transparency=b"\x80"
    )
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a camera held upright
    Image.new("RGB", (2, 4), (10, 20, 30)).save(tmp_path / "b" / "1.JPG", exif=exif, quality=100)
    arrays = ImageFolder(folder=str(tmp_path)).arrays(test=False)
    assert arrays.x.shape == (3, 3, 2, 4)
    assert np.abs(arrays.x.astype(int) - np.array([10, 20, 30])[:, None, None]).max() <= 2


def test_a_test_folder(folder, tmp_path):
    other = write_images(tmp_path / "test", per_class=3)
    splits = ImageFolder(folder=str(folder), test_folder=str(other), batch_size=4).load(test=True)
    assert len(splits.test) == 6
    (other / "dog").rename(other / "wolf")
    with pytest.raises(DataError, match=r"test/wolf: .*images has no class of this name"):
        ImageFolder(folder=str(folder), test_folder=str(other), batch_size=4).load(test=True)


def refused(folder):
    with pytest.raises(DataError) as error:
        ImageFolder(folder=str(folder), batch_size=1).read()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "gif"])
@pytest.mark.parametrize("name", ["004.png", "005.jpg"])
def test_an_image_that_cannot_be_read_is_named(folder, damage, name):
    path = folder / "dog" / name
    if damage == "gif":
        Image.new("P", (8, 8)).save(path, format="GIF")
    else:
        whole = path.read_bytes()
        path.write_bytes({"cut": whole[: len(whole) * 2 // 3], "text": b"hello", "empty": b""}[damage])
    assert refused(folder).startswith(f"{path}: cannot be read as PNG, JPEG, WEBP, BMP, TIFF (")


def test_images_of_different_sizes_are_named(folder):
    path = folder / "dog" / "002.png"
    Image.new("RGB", (9, 7)).save(path)
    first = folder / "cat" / "000.png"
    assert refused(folder) == f"{path}: 7x9 pixels, but {first} has 8x8; data.size stretches them to one size"


def test_16_bits_beside_8_and_in_colour_are_refused(folder):
    path = folder / "dog" / "002.png"
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path)
    assert refused(folder) == (
        f"{path}: 16 bits a channel, but {folder / 'cat' / '000.png'} has 8: convert them to one depth"
    )
    rows = b"".join(b"\0" + b"\x9c\x40" * 24 for _ in range(8))
    chunks = {b"IHDR": struct.pack(">2I5B", 8, 8, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
    content = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks.items())
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(content))
    assert refused(folder) == f"{path}: 16 bits a channel in colour, expected 8, or 16 of grey"


@pytest.mark.parametrize("grey", [True, False])
def test_16_bits_of_grey_are_read_and_brought_to_a_size(tmp_path, grey):
    for value, name in ((1000, "a"), (60_000, "b")):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(np.full((8, 6), value + number, np.uint16)).save(tmp_path / name / f"{number}.png")
    arrays = ImageFolder(folder=str(tmp_path), grey=grey).arrays(test=False)
    assert arrays.x.dtype == np.uint16 and arrays.x.shape == (4, 1 if grey else 3, 8, 6)
    assert arrays.x[:, 0, 3, 3].tolist() == [1000, 1001, 60_000, 60_001]
    smaller = ImageFolder(folder=str(tmp_path), grey=grey, size=4, fit="crop").arrays(test=False)
    assert smaller.x[:, 0, 1, 1].tolist() == [1000, 1001, 60_000, 60_001] and smaller.x.shape[2:] == (4, 4)


def test_other_formats_are_read_and_what_is_left_out_is_counted(folder):
    for number, ending in enumerate(("webp", "bmp", "tif")):
        Image.new("RGB", (8, 8), (50, 60, 70)).save(folder / "cat" / f"z{number}.{ending}", lossless=True)
    (folder / "cat" / "notes.txt").write_text("no image")
    (folder / "cat" / "more").mkdir()
    (folder / "list.csv").write_text("a,b")
    arrays = ImageFolder(folder=str(folder)).arrays(test=False)
    assert len(arrays) == 23 and (arrays.x[10:13, :, 0, 0] == [50, 60, 70]).all()
    assert arrays.notes == (f"{folder}: 23 images are read, left out are 1 .csv, 1 .txt, 1 folders in a class",)


def test_a_size_is_filled_by_the_middle_or_with_black(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pixels = np.repeat(np.array([10] * 4 + [200] * 4 + [10] * 4, np.uint8)[None], 4, 0)
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    made = {fit: ImageFolder(folder=str(tmp_path), size=4, fit=fit).arrays(test=False).x for fit in ("crop", "pad")}
    assert (made["crop"] == 200).all()
    assert (made["pad"][:, :, 0] == 0).all() and made["pad"][0, 0, 2, 0] >= 10


def test_folders_without_what_is_needed(folder, tmp_path):
    (folder / "bird").mkdir()
    assert refused(folder) == f"{folder / 'bird'}: has no image (.png, .jpg, .jpeg, .webp, .bmp, .tif, .tiff)"
    assert refused(tmp_path / "no") == f"data.folder = '{tmp_path / 'no'}': no such folder"
    (tmp_path / "flat").mkdir()
    assert refused(tmp_path / "flat").startswith(f"{tmp_path / 'flat'}: has no subfolder")
    one = write_images(tmp_path / "one", per_class=3)
    for file in (one / "dog").iterdir():
        file.unlink()
    (one / "dog").rmdir()
    assert refused(one) == f"{one}: only one class ('cat'): there is nothing to tell apart"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"folder": None}, "data.folder = None: must be a folder with a subfolder per class"),
        ({"test_folder": ""}, "data.test_folder = '': must be a folder or null"),
        ({"size": [8]}, "data.size = [8]: must be a height and a width"),
        ({"size": 0}, "data.size = 0: must be a whole number >= 1"),
        ({"grey": 1}, "data.grey = 1"),
        ({"groups": "("}, "data.groups = '(': is no regular expression"),
        ({"groups": 3}, "data.groups = 3: must be folder, a regular expression, or null"),
    ],
)
def test_bad_settings(fields, said):
    with pytest.raises(ConfigError) as error:
        ImageFolder(**{"folder": "images", **fields})
    assert str(error.value).startswith(said)


def test_groups_are_found_in_names_or_are_the_subfolders_of_a_class(folder, tmp_path):
    for number, file in enumerate(sorted(folder.rglob("*.*"))):
        file.rename(file.with_name(f"p{number % 7}_{file.name}"))
    parts = ImageFolder(folder=str(folder), groups="^(p[0-9])_", batch_size=4).read()
    held = {name: set(part.groups) for name, part in (("train", parts.train), ("valid", parts.valid))}
    assert held["train"] | held["valid"] == {f"p{n}" for n in range(7)} and not held["train"] & held["valid"]
    alike = [np.sort(part.x.sum((1, 2, 3))) for part in (parts.train, parts.valid)]
    for file in list(folder.rglob("*.*")):
        (file.parent / file.name[:2]).mkdir(exist_ok=True)
        file.rename(file.parent / file.name[:2] / file.name)
    (folder / "cat" / "loose.png").write_bytes(b"")
    moved = ImageFolder(folder=str(folder), groups="folder", batch_size=4).read()
    assert all((np.sort(part.x.sum((1, 2, 3))) == sums).all() for part, sums in zip(moved, alike, strict=True))
    assert any(note.endswith("images are read, left out are 1 .png") for note in moved.train.notes)
    with pytest.raises(DataError, match=r"data.groups = 'q': finds nothing in the name of .*p.*\.png"):
        ImageFolder(folder=str(folder / "cat"), groups="q", batch_size=4).read()
