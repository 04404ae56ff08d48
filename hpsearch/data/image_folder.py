"""Images in a folder, one subfolder per class."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpsearch.base import intake
from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import ConfigError, DataError, check_choice, check_int, first_line
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
IN_FOLDERS = "folder"
FITS = ("stretch", "crop", "pad")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(DataSource):
    """PNG, JPEG, WEBP, BMP and TIFF images in ``FOLDER/CLASS/``; the classes are the subfolders, by name.

    Files with another ending are left out and counted aloud, hidden ones passed over. Images have 8 bits a channel, or
    all of them 16 bits of grey. All are decoded into memory once per worker.

    Attributes:
        folder: with a subfolder per class.
        test_folder: the same for the test part; None where there is none.
        size: (height, width) that every image is brought to (bilinear), or one number for both; None: they have one
            size already.
        fit: how: ``stretch``, ``crop`` (the largest part of its middle that has the shape), ``pad`` (with black).
        grey: one channel of grey instead of red, green and blue.
        groups: what stays in one part: ``folder``, the images of each subfolder of a class (subfolders of one name are
            one group), else those in whose names a regular expression finds the same text (that of its first group
            where it has one), as ``^[^_]+``; None: each image is on its own.
    """

    files_say_all: ClassVar[bool] = True

    folder: str | None = None
    test_folder: str | None = None
    size: int | Sequence[int] | None = None
    fit: str = "stretch"
    grey: bool = False
    groups: str | None = None

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
        check_choice("data.fit", self.fit, FITS)
        if self.groups is not None:
            _check_groups(self.groups)
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

    def places(self) -> dict[str, Place]:
        """Return the folders, of which the images count."""
        folders = {"folder": self.folder, "test_folder": self.test_folder}
        return {name: place_of(folder, ENDINGS) for name, folder in folders.items() if folder is not None}

    def arrays(self, test: bool) -> Arrays:
        """Decode the images.

        Args:
            test: those of the test folder.

        Returns:
            [N, 3, H, W] or [N, 1, H, W] images of unsigned bytes, or of 16 bits, and the numbers of their classes.

        Raises:
            DataError: a folder is missing or has no class, an image cannot be read or has another size; it is named.
        """
        base = _existing("data.folder", self.folder)
        names = _classes(base)
        folder = _existing("data.test_folder", self.test_folder) if test else base
        if strange := sorted(set(_classes(folder)) - set(names)):
            raise DataError(f"{folder / strange[0]}: {base} has no class of this name")
        deep = self.groups == IN_FOLDERS
        files = [(file, number) for number, name in enumerate(names) for file in _images(folder / name, deep)]
        images = self._decoded([file for file, _ in files])
        notes = tuple(_left_out(folder, names, {file for file, _ in files}, deep))
        groups = None if self.groups is None else np.array([_group_of(file, self.groups) for file, _ in files])
        y = np.array([number for _, number in files])
        return Arrays(images, y, names, where=str(folder), notes=notes, groups=groups)

    def _decoded(self, files: Sequence[Path]) -> NDArray[Any]:
        first = self._decode(files[0])
        intake.check_fits(f"{files[0].parent.parent}: {len(files)} images", len(files) * first.nbytes)
        images = np.empty((len(files), *first.shape), first.dtype)
        for place, file in enumerate(files):
            image = self._decode(file)
            if image.dtype != first.dtype:
                bits, others = (8 * each.dtype.itemsize for each in (image, first))
                raise DataError(
                    f"{file}: {bits} bits a channel, but {files[0]} has {others}: convert them to one depth"
                )
            if image.shape != first.shape:
                here, there = ("x".join(map(str, each.shape[1:])) for each in (image, first))
                raise DataError(
                    f"{file}: {here} pixels, but {files[0]} has {there}; data.size stretches them to one size"
                )
            images[place] = image
        return images

    def _decode(self, path: Path) -> NDArray[Any]:
        """Return an image as [channels, height, width]."""
        from PIL import Image, ImageOps

        size = self.size if isinstance(self.size, tuple) else None
        try:
            with intake.opened(path) as opened, Image.open(opened, formats=FORMATS) as file:
                _check_size(path, file.size)
                mode = file.mode
                image: Any = ImageOps.exif_transpose(file)
                wide = mode.startswith("I;16")
                if wide:
                    image = image.convert("I").convert("F")  # Pillow scales few modes of 16 bits
                else:
                    image = image.convert("RGBA") if mode == "P" else image
                    image = image.convert("L" if self.grey else "RGB")
                if size is not None:
                    image = _fitted(image, size, self.fit)
                pixels = np.rint(np.asarray(image)).astype(np.uint16 if wide else np.uint8)
        except DataError:
            raise
        except Exception as error:  # a damaged file fails in as many ways as there are places to damage
            reason = first_line(error) or type(error).__name__
            raise DataError(f"{path}: cannot be read as {', '.join(FORMATS)} ({reason})") from error
        if mode in ("I", "F") or (mode.startswith("I;") and not wide):
            raise DataError(f"{path}: pixels of mode {mode}, expected 8 bits a channel, or 16 of grey")
        if _has_two_bytes(path):
            raise DataError(f"{path}: 16 bits a channel in colour, expected 8, or 16 of grey")
        if pixels.ndim == 2:
            return pixels[None] if self.grey else np.repeat(pixels[None], 3, 0)
        return np.moveaxis(pixels, 2, 0)


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if size[0] * size[1] > intake.PIXELS:
        raise DataError(f"{path}: {size[0]}x{size[1]} pixels, at most {intake.PIXELS:,} are read: scale it down")


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


def _images(folder: Path, deep: bool) -> list[Path]:
    """Return the images of a class: in its folder, or in the subfolders of that."""
    if not folder.is_dir():
        return []
    files = sorted(p for each in _holders(folder, deep) for p in _visible(each) if p.suffix.lower() in ENDINGS)
    if not files:
        where = " in a subfolder" if deep else ""
        raise DataError(f"{folder}: has no image{where} ({', '.join(ENDINGS)})")
    return files


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _holders(folder: Path, deep: bool) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()] if deep else [folder]


def _left_out(folder: Path, names: Sequence[str], taken: Collection[Path], deep: bool) -> Iterator[str]:
    """Yield a sentence where files of the folder are no images, by their endings."""
    classes = [folder / name for name in names if (folder / name).is_dir()]
    holders = [each for one in classes for each in _holders(one, deep)]
    looked = {folder, *classes, *holders}
    left = [path for each in looked for path in _visible(each) if path not in looked and path not in taken]
    counts = Counter(_kind(path) for path in left if path.is_file() or path.parent != folder)
    if counts:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        yield f"{folder}: {len(taken)} images are read, left out are {kinds}"


def _check_groups(groups: object) -> None:
    try:
        known = isinstance(groups, str) and bool(groups) and bool(re.compile(groups))
    except re.error as error:
        raise ConfigError(f"data.groups = '{groups}': is no regular expression ({error})") from None
    if not known:
        raise ConfigError(f"data.groups = {groups!r}: must be {IN_FOLDERS}, a regular expression, or null")


def _group_of(file: Path, groups: str) -> str:
    """Return the group of an image: its folder, or what is found in its name."""
    if groups == IN_FOLDERS:
        return file.parent.name
    match = re.search(groups, file.name)
    if match is None:
        raise DataError(f"data.groups = '{groups}': finds nothing in the name of {file}")
    return match[match.re.groups and 1] or ""


def _kind(path: Path) -> str:
    return "folders in a class" if path.is_dir() else path.suffix.lower() or "without ending"


def _has_two_bytes(path: Path) -> bool:
    """Whether a PNG has 16 bits a channel and colours, which Pillow would cut to 8 without a word."""
    with path.open("rb") as file:
        head = file.read(26)
    return head.startswith(b"\x89PNG") and len(head) == 26 and head[24] == 16 and head[25] != 0


def _fitted(image: Any, size: tuple[int, ...], fit: str) -> Any:
    from PIL import Image, ImageOps

    to, how = (size[1], size[0]), Image.Resampling.BILINEAR
    match fit:
        case "crop":
            return ImageOps.fit(image, to, how)
        case "pad":
            return ImageOps.pad(image, to, how)
        case _:
            return image.resize(to, how)
