"""What comes in from files that somebody else may have written: from regular files alone, and no more than fits.

A pipe or a device as a path would be waited for or read for ever, and a few kilobytes of gzip unpack to gigabytes. All
limits stand here, each with its reason; what is refused is said with the way out.
"""

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

from hpsearch.base import platform
from hpsearch.base.errors import DamageError, DataError, HpsearchError, StorageError, first_line

UNPACKED_BYTES = 2**30
"""A compressed file is unpacked in memory, a GiB in about 3 s; MNIST's images are 47 MB, CIFAR-10's archive 184 MB."""
SMALL_BYTES = 2**25
"""What any compressed file may unpack to, in a tenth of a second."""
RATIO = 100
"""How many times its size a compressed file may unpack to, beyond `SMALL_BYTES`: tables of texts reach 20, images of
few strokes 30, and gzip's most is 1,032."""
PIXELS = 89_478_485
"""Of an image: from here on Pillow warns of a bomb. It takes 270 MB in colours, and about a second."""
TEXT_BYTES = 2**19
"""Of a configuration in YAML, which is parsed at some 500 kB a second; those of studies have 20 kB."""
NODES = 100_000
"""Values in a YAML file with all that its aliases stand for: nine lines of ten aliases each stand for a billion."""
UNASKED_BYTES = 2**26
"""A file up to this size is read without asking how much memory is free."""

_KINDS: Mapping[str, Callable[[int], bool]] = {
    "a folder": stat.S_ISDIR,
    "a pipe": stat.S_ISFIFO,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    "a socket": stat.S_ISSOCK,
}
_OPENERS: Mapping[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zip": lambda file: _only_member(file),
}
_FORMATS = {".gz": "gzip", ".bz2": "bzip2"}
PACKED = tuple(_OPENERS)
"""Endings of compressed files."""
_DAMAGE = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError)
_DAMAGE_OF_ZIP = (zipfile.BadZipFile, *_DAMAGE)


def opened(path: Path, error: type[HpsearchError] = DataError) -> IO[bytes]:
    """Open a regular file for reading, without waiting for anybody.

    Args:
        path: the file.
        error: raised where what is there is no file, such as a pipe, or may not be read.

    Returns:
        The file.

    Raises:
        OSError: a FileNotFoundError: there is none.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if os.name == "nt" and path.is_dir():  # which Windows does not open
        raise error(f"{path}: is a folder, expected a file")
    try:
        file = os.open(path, flags)
    except OSError as why:  # a link to itself, a socket, no permission
        if why.errno == errno.ENOENT:
            raise
        raise error(f"{path}: cannot be read ({why.strerror or why})") from why
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        kind = next((name for name, is_one in _KINDS.items() if is_one(mode)), "no regular file")
        raise error(f"{path}: is {kind}, expected a file")
    return os.fdopen(file, "rb")


def read(path: Path, error: type[HpsearchError] = DataError) -> bytes:
    """Return what is in a regular file, see `opened`; what is larger than the free memory is an `error` too."""
    with opened(path, error) as file:
        check_fits(str(path), os.fstat(file.fileno()).st_size, error)
        return file.read()


def check_fits(what: str, size: int, error: type[HpsearchError] = DataError) -> None:
    """Refuse to read more bytes than there is free memory."""
    if size > UNASKED_BYTES and size > (free := platform.memory()[0]):
        raise error(f"{what}: {_gib(size)} do not fit into the free memory ({_gib(free)})")


def unpacked(path: Path, raw: bytes, ending: str) -> bytes:
    """Return what a compressed file holds.

    Args:
        path: of the file, for messages.
        raw: what stands in it.
        ending: one of `PACKED`; a .zip holds one file.

    Returns:
        The bytes.

    Raises:
        DataError: it is damaged, or would unpack to more than `most_unpacked`.
    """
    most = most_unpacked(len(raw))
    try:
        with _OPENERS[ending](io.BytesIO(raw)) as file:
            content = file.read(most + 1)
    except _DAMAGE_OF_ZIP as error:
        raise DataError(
            f"{path}: damaged {_FORMATS.get(ending, ending[1:])} file, expected a whole one ({error})"
        ) from error
    if len(content) > most:
        raise DataError(f"{path}: {len(raw)} bytes unpack to more than {_gib(most)}: unpack it first if it is yours")
    return content


def most_unpacked(size: int) -> int:
    """Return how many bytes a number of compressed bytes may unpack to."""
    return min(UNPACKED_BYTES, max(SMALL_BYTES, RATIO * size))


def check_stored(file: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip archive that holds its files as they are, as `torch.save` writes it.

    Args:
        file: the archive.

    Returns:
        It.

    Raises:
        ValueError: a file in it is compressed, or they are larger together than the archive.
    """
    archive = zipfile.ZipFile(file)
    members = archive.infolist()
    if any(each.compress_type != zipfile.ZIP_STORED for each in members):
        raise ValueError("its entries are compressed, as torch.save writes none")
    if sum(each.file_size for each in members) > os.fstat(file.fileno()).st_size:
        raise ValueError("its entries are larger than the file")
    return archive


def json_value(text: str | bytes) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: it is none, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_file(path: Path) -> Any:
    """Return what a JSON file says. Without a file a FileNotFoundError.

    Raises:
        ValueError: it is no regular file, no JSON, or nested too deeply.
    """
    try:
        return json_value(read(path, StorageError))
    except StorageError as error:
        raise ValueError(str(error)) from None


def yaml_value(path: Path) -> Any:
    """Return what a YAML file says; tags that build objects are refused. Without a file a FileNotFoundError.

    Raises:
        DamageError: it is too large or no YAML, or its aliases stand for too much. What is no regular file is a
            StorageError.
    """
    with opened(path, StorageError) as file:
        raw = file.read(TEXT_BYTES + 1)
    try:
        return yaml_text(raw)
    except ValueError as error:
        raise DamageError(f"{path} is damaged ({error})") from None


def yaml_text(text: str | bytes) -> Any:
    """Return what a YAML text says; tags that build objects are refused.

    Raises:
        ValueError: it is no YAML, too long, nested too deeply, or its aliases stand for too much.
    """
    import yaml

    if len(text) > TEXT_BYTES:
        raise ValueError(f"more than {TEXT_BYTES >> 10} KiB")
    try:
        content = yaml.safe_load(text if isinstance(text, str) else text.decode("utf-8"))
        nodes = _nodes(content, NODES)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except Exception as error:  # a tag before something else fails in as many ways as there are tags
        raise ValueError(_said(error)) from None
    if nodes < 0:
        raise ValueError(f"more than {NODES:,} values")
    return content


def _said(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line + 1}: {problem}" if mark and problem else first_line(error) or type(error).__name__


def _nodes(value: Any, left: int) -> int:
    """Return how many values may follow one with all that is in it; less than 0 where it has too many."""
    left -= 1
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | set | tuple) else ()
    for each in inner:
        if left < 0:
            break
        left = _nodes(each, left)
    return left


def _only_member(file: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = archive.namelist()
    if len(names) != 1:
        raise ValueError(f"it holds {len(names)} files, expected one")
    return archive.open(names[0])


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
