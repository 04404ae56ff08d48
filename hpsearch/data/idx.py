"""Reader of IDX files, the format of MNIST: a magic number, the size of each axis, the entries; big-endian."""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpsearch.base import intake
from hpsearch.base.errors import DataError

MAGIC = 0x00000800
"""Two zero bytes, the code of unsigned bytes, the number of axes in the last byte."""


def read(path: Path, axes: int) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes.

    Args:
        path: the file; one that ends in ``.gz`` is decompressed.
        axes: number of axes it must have: 3 for images, 1 for labels.

    Returns:
        The entries, read-only.

    Raises:
        DataError: naming the file, what was found and what was expected.
    """
    raw = intake.read(path)
    content = _decompressed(path, raw) if path.suffix == ".gz" else raw
    header = 4 + 4 * axes
    if len(content) < header:
        raise DataError(f"{path}: {len(content)} bytes, expected a header of {header}")
    magic, *shape = struct.unpack_from(f">{1 + axes}I", content)
    if magic != MAGIC + axes:
        raise DataError(f"{path}: magic number {magic}, expected {MAGIC + axes} (unsigned bytes, axes: {axes})")
    if len(content) - header != math.prod(shape):
        size = " x ".join(map(str, shape))
        raise DataError(f"{path}: {len(content) - header} bytes after the header, which promises {size}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _decompressed(path: Path, raw: bytes) -> bytes:
    if not raw.startswith(b"\x1f\x8b"):
        raise DataError(f"{path}: starts with {raw[:2].hex(' ') or 'nothing'}, expected gzip's 1f 8b")
    return intake.unpacked(path, raw, ".gz")
