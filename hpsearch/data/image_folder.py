"""Images in a folder, one subfolder per class."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.base.errors import ConfigError, DataError, check_choice, check_int, first_line
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource

ENDINGS = (".png", ".jpg", ".jpeg")
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


@dataclass(frozen=True, kw_only=True)
class ImageFolder(DataSource):
    """PNG and JPEG images of 8 bits a channel in ``FOLDER/CLASS/``; the classes are the subfolders, by name.

    Files with another ending and hidden ones are passed over. All images are decoded into memory once per worker.

    Attributes:
        folder: with a subfolder per class.
        test_folder: the same for the test part; None where there is none.
        size: (height, width) that every image is stretched to (bilinear), or one number for both; None: they have one
            size already.
        grey: one channel of grey instead of red, green and blue.
    """

    folder: str | None = None
    test_folder: str | None = None
    size: int | Sequence[int] | None = None
    grey: bool = False

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        super().__post_init__()
        if not (isinstance(self.folder, str) and self.folder):
            raise ConfigError(f"data.folder = {self.folder!r}: must be a folder with a subfolder per class")
        if self.test_folder is not None and not (isinstance(self.test_folder, str) and self.test_folder):
            raise ConfigError(f"data.test_folder = {self.test_folder!r}: must be a folder or null")
        check_choice("data.grey", self.grey, (True, False))
        if self.size is not None:
            sides = list(self.size) if isinstance(self.size, list | tuple) else [self.size, self.size]
            if len(sides) != 2:
                raise ConfigError(f"data.size = {sides}: must be a height and a width, one number for both, or null")
            for side in sides:
                check_int("data.size", side, 1)
            object.__setattr__(self, "size", tuple(sides))

    def has_test(self) -> bool:
        """Return whether a test folder is named."""
        return self.test_folder is not None

    def arrays(self, test: bool) -> Arrays:
        """Decode the images.

        Args:
            test: those of the test folder.

        Returns:
            [N, 3, H, W] or [N, 1, H, W] images of unsigned bytes, and the numbers of their classes.

        Raises:
            DataError: a folder is missing or has no class, an image cannot be read or has another size; it is named.
        """
        base = _existing("data.folder", self.folder)
        names = _classes(base)
        folder = _existing("data.test_folder", self.test_folder) if test else base
        if strange := sorted(set(_classes(folder)) - set(names)):
            raise DataError(f"{folder / strange[0]}: {base} has no class of this name")
        files = [(file, number) for number, name in enumerate(names) for file in _images(folder / name)]
        images = self._decoded([file for file, _ in files])
        return Arrays(images, np.array([number for _, number in files]), names, where=str(folder))

    def _decoded(self, files: Sequence[Path]) -> NDArray[np.uint8]:
        size = self.size if isinstance(self.size, tuple) else None
        first = _decode(files[0], self.grey, size)
        images = np.empty((len(files), *first.shape), np.uint8)
        for place, file in enumerate(files):
            image = _decode(file, self.grey, size)
            if image.shape != first.shape:
                here, there = ("x".join(map(str, each.shape[1:])) for each in (image, first))
                raise DataError(
                    f"{file}: {here} pixels, but {files[0]} has {there}; data.size stretches them to one size"
                )
            images[place] = image
        return images


def _existing(key: str, folder: str | None) -> Path:
    path = Path(str(folder)).expanduser()
    if not path.is_dir():
        raise DataError(f"{key} = {folder!r}: no such folder")
    return path


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if not names:
        raise DataError(f"{folder}: has no subfolder; each class has one of its own")
    return names


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    if not files:
        raise DataError(f"{folder}: has no image ({', '.join(ENDINGS)})")
    return files


def _decode(path: Path, grey: bool, size: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """Return an image as [channels, height, width]."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as file:
            mode = file.mode
            image: Any = ImageOps.exif_transpose(file)
            image = image.convert("RGBA") if mode == "P" else image
            image = image.convert("L" if grey else "RGB")
            if size is not None:
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = np.asarray(image, np.uint8)
    except (*_DAMAGE, Image.DecompressionBombError) as error:
        reason = first_line(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as PNG or JPEG ({reason})") from error
    if mode.startswith(("I", "F")):
        raise DataError(f"{path}: pixels of mode {mode}, expected 8 bits a channel")
    return pixels[None] if grey else np.moveaxis(pixels, 2, 0)
