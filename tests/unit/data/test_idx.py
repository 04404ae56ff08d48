import gzip
import struct

import numpy as np
import pytest

from hpsearch.base.errors import DataError
from hpsearch.data.idx import read

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def encode(array, magic=None):
    magic = 0x800 + array.ndim if magic is None else magic
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


@pytest.mark.parametrize("name", ["images-ubyte", "images-ubyte.gz"])
def test_reads_what_was_written(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(encode(IMAGES)) if name.endswith("gz") else encode(IMAGES))
    assert np.array_equal(read(path, axes=3), IMAGES)


WHOLE = encode(IMAGES)
CASES = {
    "labels instead of images": ("f", encode(IMAGES.ravel()), "magic number 2049, expected 2051"),
    "floats": ("f", encode(IMAGES, magic=0xD03), "magic number 3331, expected 2051"),
    "little-endian": ("f", struct.pack("<4I", 2051, 2, 3, 4) + IMAGES.tobytes(), "expected 2051"),
    "cut in the entries": ("f", WHOLE[:-1], "23 bytes after the header, which promises 2 x 3 x 4"),
    "cut in the header": ("f", WHOLE[:10], "10 bytes, expected a header of 16"),
    "empty": ("f", b"", "0 bytes, expected a header of 16"),
    "too long": ("f", WHOLE + b"x", "25 bytes after the header, which promises 2 x 3 x 4"),
    "not gzip": ("f.gz", WHOLE, "starts with 00 00, expected gzip's 1f 8b"),
    "empty gzip": ("f.gz", b"", "starts with nothing, expected gzip's 1f 8b"),
    "truncated gzip": ("f.gz", gzip.compress(WHOLE)[:-12], "damaged gzip file, expected a whole one"),
    "damaged gzip": ("f.gz", gzip.compress(WHOLE)[:-8] + b"\0" * 8, "damaged gzip file, expected a whole one"),
    "scrambled gzip": ("f.gz", gzip.compress(WHOLE)[:10] + b"\xff" * 20, "damaged gzip file"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_file_is_named_with_what_was_found(tmp_path, case):
    name, content, message = CASES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(path, axes=3)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
