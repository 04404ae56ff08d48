"""Data files that are broken or made to harm: one line each, in little time and memory, and nothing else happens."""

import bz2
import gzip
import io
import lzma
import os
import socket
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from hpsearch.base import intake
from hpsearch.base.contents import content_of, place_of
from hpsearch.base.errors import HpsearchError
from hpsearch.data import idx
from hpsearch.data.cifar10 import ARCHIVE, CIFAR10, FOLDER, TRAINING_BATCHES
from hpsearch.data.conll import Conll
from hpsearch.data.image_folder import ImageFolder
from hpsearch.data.npz import Npz
from hpsearch.data.table import Table
from tests.support.bounds import bounded_memory

MEMORY = 2**29
"""What reading any of these files may take. Limits are lowered with it, so that no test unpacks a GiB."""
ZEROS = bytes(2**27)


@pytest.fixture(scope="module", autouse=True)
def small_limits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "UNPACKED_BYTES", 2**26)
        patch.setattr(intake, "PIXELS", 10**6)
        yield


def member(name, content, method=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr(name, content)
    return made.getvalue()


def npy(header, content=b"", version=b"\x01\x00"):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


def array(shape, content=b"", descr="'<f8'"):
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", content)


def npz(**arrays):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)
    return made.getvalue()


def understated(archive, name=b"x.npy"):
    """Return an archive whose directory says that its first entry is small."""
    place = archive.rindex(b"PK\x01\x02", 0, archive.rindex(name))
    return archive[: place + 24] + struct.pack("<I", 200) + archive[place + 28 :]


def of_method(archive, number):
    """Return an archive of one entry that is packed by another method."""
    local, central = archive.index(b"PK\x03\x04") + 8, archive.index(b"PK\x01\x02") + 10
    method = struct.pack("<H", number)
    return archive[:local] + method + archive[local + 2 : central] + method + archive[central + 2 :]


def png(width, height, rows=b"\0"):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width, height):
    return b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9) + b"\xff\xd9"


def tar_of(link=None, content=ZEROS):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as archive:
        for name in TRAINING_BATCHES:
            each = tarfile.TarInfo(f"{FOLDER}/{name}")
            each.size = 0 if link else len(content)
            if link:
                each.type, each.linkname = tarfile.SYMTYPE, link
            archive.addfile(each, None if link else io.BytesIO(content))
            if content is ZEROS:
                break
    return made.getvalue()


def negative_tar():
    head = bytearray(tarfile.TarInfo(f"{FOLDER}/{TRAINING_BATCHES[0]}").tobuf())
    head[124:136] = b"\xff" * 12
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return gzip.compress(bytes(head) + bytes(1024))


BOMB = gzip.compress(ZEROS, 9)
X = array("(4, 2)", bytes(64))
Y = array("(4,)", bytes(32))
NPZ = {
    "promises terabytes": (npz(x=array("(1000000, 1000000)", bytes(64)), y=Y), "in its header, but"),
    "promises a negative axis": (npz(x=array("(-4, 2)", bytes(64)), y=Y), "in its header, but"),
    "promises two negative axes": (npz(x=array("(-4, -2)", bytes(64)), y=Y), "in its header, but"),
    "shape of 2**63": (npz(x=array("(9223372036854775808,)", bytes(64)), y=Y), "in its header, but"),
    "is a bomb": (npz(x=array("(16777216,)", ZEROS), y=Y), "bytes promise"),
    "is a bomb that says it is none": (understated(npz(x=array("(16777216,)", ZEROS), y=Y)), "cannot be read"),
    "holds a short array": (npz(x=array("(4, 2)", bytes(8)), y=Y), "cannot be read as .npz"),
    "has a header that nests": (npz(x=npy("(" * 9000 + ")" * 9000), y=Y), "cannot be read as .npz"),
    "has a header that calls": (npz(x=npy("__import__('os').mkdir('made')"), y=Y), "cannot be read as .npz"),
    "has a header of no table": (npz(x=npy("[1]"), y=Y), "cannot be read as .npz"),
    "has a header of a wrong shape": (npz(x=array("'four'", bytes(64)), y=Y), "cannot be read as .npz"),
    "has a header of a long line": (npz(x=npy("{" + " " * 60_000), y=Y), "cannot be read as .npz"),
    "holds objects": (npz(x=array("(4,)", bytes(64), "'|O'"), y=Y), "it holds a pickle"),
    "holds records of another version": (npz(x=npy("{}", version=b"\x03\x00"), y=Y), "cannot be read as .npz"),
    "has an unknown version": (npz(x=npy("{}", version=b"\x63\x00"), y=Y), "cannot be read as .npz"),
    "holds no array": (npz(x=b"", y=Y), "cannot be read as .npz"),
    "is one array": (X, "holds one array"),
    "is a pickle": (b"\x80\x04cos\nsystem\n(S'touch made'\ntR.", "it holds a pickle"),
    "is empty": (b"", "cannot be read as .npz"),
    "is no archive": (b"hello" * 9, "cannot be read as .npz"),
    "is cut": (npz(x=X, y=Y)[:-40], "cannot be read as .npz"),
    "has another name": (npz(x=X), "no array 'y'"),
}
HEAD = struct.pack(">IIII", 0x803, 1, 28, 28)
IDX = {
    "promises terabytes": ("f", struct.pack(">IIII", 0x803, 2**32 - 1, 2**31, 2**31) + bytes(64), "which promises"),
    "promises terabytes, packed": (
        "f.gz",
        gzip.compress(struct.pack(">IIII", 0x803, 2**32 - 1, 2**31, 2**31) + bytes(64)),
        "which promises",
    ),
    "has too many axes": ("f", struct.pack(">I", 0x8FF) + bytes(64), "magic number"),
    "is a bomb": ("f.gz", BOMB, "unpack to more than"),
    "is a bomb of many parts": ("f.gz", gzip.compress(bytes(2**24)) * 9, "unpack to more than"),
    "is no gzip": ("f.gz", HEAD, "expected gzip's"),
    "is cut": ("f.gz", gzip.compress(HEAD + bytes(784))[:-9], "damaged gzip file"),
    "is empty": ("f", b"", "expected a header"),
}
TEXT = {
    "gzip bomb": ("f.csv.gz", BOMB, "unpack to more than"),
    "bzip2 bomb": ("f.csv.bz2", bz2.compress(ZEROS), "unpack to more than"),
    "xz bomb": ("f.csv.xz", lzma.compress(ZEROS, preset=0), "unpack to more than"),
    "zip bomb": ("f.csv.zip", member("f.csv", ZEROS, zipfile.ZIP_DEFLATED), "unpack to more than"),
    "zip of two": ("f.csv.zip", member("a", b"") + b"", "is empty"),
    "zip of an unknown method": (
        "f.csv.zip",
        of_method(member("f.csv", b"a,y\n1,2\n"), 99),
        "damaged zip",
    ),
    "one name 10,000 times": ("f.csv", b",".join([b"a"] * 10_000) + b"\n" + b",".join([b"1"] * 10_000), "named 'a'"),
    "two names 10,000 times": (
        "f.csv",
        b",".join(b"c%d" % (n % 9_999) for n in range(10_000)) + b"\n" + b",".join([b"1"] * 10_000),
        "two columns are named 'c0'",
    ),
    "one line without an end": ("f.csv", b"a,y" + b"1" * 2**24, "cannot be read as a table"),
    "one line of cells": ("f.csv", b"1," * 2**19, "its first line holds numbers"),
    "a quote that never ends": ("f.csv", b'a,y\n1,"' + b"2\n" * 2**20, "cannot be read as a table"),
    "bytes of 0": ("f.csv", bytes(2**20), "no text"),
    "half of UTF-16": ("f.csv", b"\xff\xfea\0,\0y", "is none of utf-16"),
    "half of UTF-32": ("f.csv", b"\xff\xfe\0\0a", "is none of utf-32"),
    "a number of 10**5 digits": ("f.csv", b"a,y\n" + b"9" * 10**5 + b",1\n3,2\n", "must be a number"),
    "no columns": ("f.csv", b"\n\n\n", "it is empty"),
    "a Parquet file that is none": ("f.parquet", b"PAR1" + b"\xff" * 64 + b"PAR1", "cannot be read as a table"),
}
IMAGES = {
    "PNG of terabytes": (png(2**31 - 1, 2**31 - 1), "could be decompression bomb"),
    "PNG bomb": (png(9_000, 9_000, bytes(9_000 * 9_001)), "are read: scale it down"),
    "PNG without a width": (png(0, 9), "cannot be read as"),
    "PNG of too few rows": (png(900, 900), "cannot be read as"),
    "PNG that is cut": (png(9, 9, bytes(90))[:-30], "cannot be read as"),
    "JPEG of 65,535 by 65,535": (jpeg(65_535, 65_535), ""),
    "JPEG of nothing": (b"\xff\xd8\xff", "cannot be read as"),
    "TIFF that leads to itself": (b"II*\0\x08\0\0\0\x01\0" + bytes(12) + b"\x08\0\0\0", "cannot be read as"),
    "BMP of a negative size": (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, -9, -9, 1, 24, 0) + bytes(20), "cannot"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be read as"),
    "text": (b"hello", "cannot be read as"),
}
ARCHIVES = {
    "bomb": (tar_of(), "unpack to more than"),
    "links to themselves": (tar_of(f"{FOLDER}/{TRAINING_BATCHES[0]}", b""), "0 bytes"),
    "links to outside": (tar_of("/etc/passwd", b""), "0 bytes"),
    "a negative size": (negative_tar(), f"{ARCHIVE}: "),
    "text": (gzip.compress(b"hello" * 999), "damaged archive"),
}


def refused(read, said):
    with bounded_memory(MEMORY), pytest.raises(HpsearchError) as error:
        read()
    (line,) = str(error.value).splitlines()
    assert said in line and error.value.exit_code == 2, line


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("case", NPZ)
def test_npz(folder, case):
    content, said = NPZ[case]
    (folder / "f.npz").write_bytes(content)
    refused(lambda: Npz(path="f.npz").arrays(False), said)


@pytest.mark.parametrize("case", IDX)
def test_idx(folder, case):
    name, content, said = IDX[case]
    (folder / name).write_bytes(content)
    refused(lambda: idx.read(folder / name, axes=3), said)


@pytest.mark.parametrize("case", TEXT)
def test_table(folder, case):
    name, content, said = TEXT[case]
    (folder / name).write_bytes(content)
    refused(lambda: Table(path=name, target="y", task="regression").arrays(False), said)


@pytest.mark.parametrize("case", IMAGES)
def test_image(folder, case):
    content, said = IMAGES[case]
    (folder / "all" / "one").mkdir(parents=True)
    (folder / "all" / "one" / "f.png").write_bytes(content)
    refused(lambda: ImageFolder(folder="all", size=8).arrays(False), said)


@pytest.mark.parametrize("case", ARCHIVES)
def test_archive(folder, case):
    content, said = ARCHIVES[case]
    (folder / ARCHIVE).write_bytes(content)
    refused(lambda: CIFAR10(root=str(folder)).arrays(False), said)


def pipe(path):
    os.mkfifo(path)


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def sparse(path):
    with path.open("wb") as file:
        file.truncate(2**42)


PATHS = {
    "pipe": (pipe, "is a pipe, expected a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device, expected a file"),
    "folder": (lambda path: path.mkdir(), "is a folder, expected a file"),
    "4 TiB of nothing": (sparse, "do not fit into the free memory"),
    "link to itself": (lambda path: path.symlink_to(path), "cannot be read ("),
    "socket": (listening, "cannot be read ("),
}
READERS = {
    "idx": ("f.gz", lambda path: idx.read(path, axes=3)),
    "npz": ("f.npz", lambda path: Npz(path=str(path)).arrays(False)),
    "csv": ("f.csv", lambda path: Table(path=str(path), target="y").arrays(False)),
    "parquet": ("f.parquet", lambda path: Table(path=str(path), target="y").arrays(False)),
    "conll": ("f.conll", lambda path: Conll(path=str(path)).arrays(False)),
    "image": ("one/f.png", lambda path: ImageFolder(folder=str(path.parent.parent)).arrays(False)),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", PATHS)
def test_path_that_leads_to_no_file_of_that_size(folder, reader, kind, monkeypatch):
    name, read = READERS[reader]
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    monkeypatch.chdir(path.parent)
    make, said = PATHS[kind]
    make(path)
    packed = kind.startswith("4") and reader in ("npz", "parquet", "image")  # their readers look at the end first
    refused(lambda: read(path), "" if packed else said)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_file_has_no_content(folder, kind):
    PATHS[kind][0](folder / "f")
    assert content_of(place_of("f")) is None
    (folder / "g").write_text("x")
    assert content_of(place_of(folder)).files == 1


def test_what_unpacks_to_much_and_is_small_enough_is_read(tmp_path):
    content = HEAD + bytes(784)
    (tmp_path / "f.gz").write_bytes(gzip.compress(content))
    assert idx.read(tmp_path / "f.gz", axes=3).shape == (1, 28, 28)
    assert [intake.most_unpacked(size) for size in (1, 2**19, 2**30)] == [intake.SMALL_BYTES, 100 * 2**19, 2**26]


def test_an_ordinary_archive_is_read_also_compressed(tmp_path):
    x, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "f.npz", x=x, y=y)
        assert np.array_equal(Npz(path=str(tmp_path / "f.npz")).arrays(False).x, x)
