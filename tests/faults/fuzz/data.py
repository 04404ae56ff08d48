# ruff: noqa: E501 - pieces and tables are read as tables
"""Data files of a user's: delimited text, words in columns, IDX, NumPy archives, images in folders."""

import csv
import gzip
import io
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from hpsearch.data import idx
from hpsearch.data.conll import Conll
from hpsearch.data.image_folder import ImageFolder
from hpsearch.data.npz import Npz
from hpsearch.data.table import Table
from tests.faults.fuzz.harness import EntryPoint, read
from tests.faults.fuzz.mutate import mutated

NAMES = st.lists(
    st.text("abcxyz_ é.-#", min_size=1, max_size=5).map(str.strip).filter(bool), min_size=1, max_size=4, unique=True
)
NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["1e3", "-.5", "5.", "+7", "007", "1E-3", "0"]),
)
WORDS = st.sampled_from([
    "red",
    "blue",
    "a b",
    "x,y",
    'say "x"',
    "é",
    "1a",
    "TRUE",
    "None",
    "l\nm",
    "2024-01-01",
    "NaN",
])
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32"])
CSV_PIECES = [
    *(b",", b";", b"\t", b"|", b" ", b'"', b'""', b"\n", b"\r\n", b"\r", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff"),
    *(b"sep=;\n", b"sep=\\\n", b"1e400", b"nan", b"inf", b"1,5", b"1.000,5", b"1_0", b"0x10", b"#", b"'", b"y", b"\x1a"),
    *(b"\xe2\x80\xa8", b"\xd9\xa3", b"9" * 400, b"1e-400", b"True", b"\x85", b"?", b"-"),
]  # fmt: skip


@st.composite
def _tables(draw: Any) -> tuple[list[str], list[list[str]], str, str, dict[str, Any]]:
    """Draw columns of numbers and one of words, how they are written, and what is said of it."""
    features = [name for name in draw(NAMES) if name != "y"]
    rows = draw(st.lists(st.tuples(*[NUMBERS for _ in features], st.sampled_from(["a", "b"])), min_size=4, max_size=9))
    delimiter, encoding = draw(DELIMITERS), draw(ENCODINGS)
    said = {"delimiter": delimiter} if draw(st.booleans()) else {}
    said |= {"decimal": "."} if draw(st.booleans()) else {}
    said |= {"header": True} if draw(st.booleans()) else {}
    return [*features, "y"], [list(row) for row in rows], delimiter, encoding, said


def _csv_bytes(table: Any) -> bytes:
    names, rows, delimiter, encoding, _ = table
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([names, *rows])
    return text.getvalue().encode(encoding, "replace")


def _number(text: str) -> float:
    return math.nan if text.strip().lower() in ("na", "n/a", "nan", "null", "none", "?", "-", "#n/a") else float(text)


def _check_table(table: Any) -> None:
    names, rows, _, encoding, said = table
    Path("f.csv").write_bytes(_csv_bytes(table))
    if encoding == "cp1252":
        said = {**said, "encoding": encoding}
    arrays = read(lambda: Table(path="f.csv", target="y", **said).arrays(False))
    assert arrays.columns == tuple(names[:-1]), (arrays.columns, names)
    expected = np.array([[float(cell) for cell in row[:-1]] for row in rows])
    np.testing.assert_array_equal(arrays.x, expected.reshape(arrays.x.shape))
    assert [arrays.class_names[each] for each in arrays.y] == [row[-1] for row in rows]


def _check_csv(raw: bytes) -> None:
    """A file of which the form is said reads as the standard library's `csv` and `float` do."""
    Path("f.csv").write_bytes(raw)
    arrays = read(lambda: Table(path="f.csv", target="y", task="regression", **SAID).arrays(False))
    text = raw.decode("utf-8").removeprefix("\ufeff")
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        if row
    ]
    names = [name or f"Unnamed: {place}" for place, name in enumerate(rows[0])]
    width = len(names)
    assert all(len(row) in (width, width + 1) for row in rows[1:]), rows
    place = names.index("y")
    expected = np.array([[float(cell) for cell in row[:width]] for row in rows[1:]])
    others = [each for each in range(width) if each != place]
    np.testing.assert_allclose(arrays.x, expected[:, others], rtol=1e-15, atol=0)
    np.testing.assert_allclose(arrays.y.ravel(), expected[:, place], rtol=1e-15, atol=0)


SAID = {"delimiter": ",", "decimal": ".", "header": True, "encoding": "utf-8"}


def _check_guessed(raw: bytes) -> None:
    """A file of which nothing is said is read or refused."""
    Path("f.csv").write_bytes(raw)
    arrays = read(lambda: Table(path="f.csv", target="y").arrays(False))
    assert len(arrays.x) == len(arrays.y) > 0 and np.isfinite(arrays.x).all()


def _numbers_only(table: Any) -> bytes:
    names, rows, *_ = table
    return _csv_bytes((names, [[*row[:-1], row[0]] for row in rows], ",", "utf-8", {}))


CONLL_PIECES = [
    "\n",
    "\t",
    " ",
    "\r",
    "#",
    "-DOCSTART-",
    "3-4",
    "5.1",
    "\u2028",
    "\x0b",
    "\0",
    "é",
    "O",
    "\ufeff",
    "\x85",
]
SENTENCES = st.lists(
    st.lists(st.tuples(st.text("abcé.", min_size=1, max_size=3), st.sampled_from(["O", "B-x"])), min_size=1, max_size=4),
    min_size=1, max_size=4,
)  # fmt: skip


def _conll_text(sentences: Any) -> str:
    return "\n\n".join("\n".join(f"{word} {tag}" for word, tag in sentence) for sentence in sentences)


def _check_conll(text: str) -> None:
    Path("f.conll").write_bytes(text.encode("utf-8", "surrogatepass"))
    arrays = read(lambda: Conll(path="f.conll").arrays(False))
    lines = text.removeprefix("\ufeff").split("\n")
    cells = [line.rstrip("\r").split("\t" if "\t" in line else None) for line in lines if line.strip()]
    tagged = [line for line in cells if len(line) > 1 and line[0] != "-DOCSTART-"]
    assert int((arrays.y >= 0).sum()) == len(tagged), (arrays.y, tagged)


@st.composite
def _idx(draw: Any) -> tuple[str, bytes]:
    n, height, width = draw(st.integers(0, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    body = draw(st.binary(min_size=n * height * width, max_size=n * height * width))
    raw = struct.pack(">IIII", 0x803, n, height, width) + body
    packed = draw(st.booleans())
    raw = draw(mutated(st.just(gzip.compress(raw, mtime=0) if packed else raw), IDX_PIECES))
    return ("f.gz" if packed else "f"), raw


IDX_PIECES = [struct.pack(">I", number) for number in (0, 1, 28, 2**31, 2**32 - 1, 0x801, 0x803, 0x8FF)] + [
    b"\x1f\x8b",
    bytes(9),
]


def _check_idx(drawn: tuple[str, bytes]) -> None:
    name, raw = drawn
    Path(name).write_bytes(raw)
    array = read(lambda: idx.read(Path(name), axes=3))
    content = gzip.decompress(raw) if name.endswith("gz") else raw
    _, *shape = struct.unpack(">IIII", content[:16])
    assert array.shape == tuple(shape) and array.tobytes() == content[16:]


DTYPES = (
    "<f8",
    "<f4",
    "<i8",
    "<i4",
    "|u1",
    "|b1",
    ">f8",
    "<f2",
    "<c16",
    "<U3",
    "<M8[s]",
    "|S2",
    "|O",
    "<i1",
    ">u2",
    "<u8",
    "<f16",
)
NPY_PIECES = [
    *(b"\x93NUMPY", b"(", b")", b"-1", b"True", b"9999999999", b"{", b"}", b"'descr'", b"'fortran_order': ", b"|O", b","),
    *(b"\x01\x00", b"\x02\x00", b"\x03\x00", b"PK\x03\x04", b"PK\x01\x02", b"[", b"\0", b"L", b"1e3", b"()", b"<f8", b"<V9"),
]  # fmt: skip


def _npy(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array(made, array, allow_pickle=True)
    return made.getvalue()


@st.composite
def _npz(draw: Any) -> bytes:
    """Draw an archive of arrays, damaged inside of it or as a whole, or not at all."""
    n = draw(st.integers(0, 6))
    shape = (n, *draw(st.lists(st.integers(0, 4), max_size=3)))
    kind = draw(st.sampled_from(DTYPES))
    numbers = np.frombuffer(draw(st.binary(min_size=1, max_size=16)) * 500, np.uint8)[: math.prod(shape)]
    x = numbers.reshape(shape).astype(np.dtype(kind))
    if draw(st.booleans()):
        x = np.asfortranarray(x)
    y = np.arange(n + draw(st.integers(0, 1)) * draw(st.integers(-1, 1)) if n else 1) % draw(st.integers(1, 3))
    y = y.astype(draw(st.sampled_from(DTYPES[:6])))
    members = {"x.npy": _npy(x), "y.npy": _npy(y)}
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(members)))
        members[name] = draw(mutated(st.just(members[name]), NPY_PIECES))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, archive.compression)
    return draw(mutated(st.just(made.getvalue()), NPY_PIECES)) if draw(st.booleans()) else made.getvalue()


def _check_npz(raw: bytes) -> None:
    Path("f.npz").write_bytes(raw)
    arrays = read(lambda: Npz(path="f.npz").arrays(False))
    with zipfile.ZipFile("f.npz") as archive:  # `numpy.load` takes one that begins with something else for a pickle
        x, y = (np.lib.format.read_array(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False) for name in "xy")
    np.testing.assert_array_equal(arrays.x.reshape(x.shape), x)
    np.testing.assert_array_equal(np.asarray(arrays.y).ravel(), y.ravel())


FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
IMAGE_PIECES = [b"\xff" * 4, bytes(4), b"IHDR", b"IDAT", b"IEND", b"\xff\xc0", b"\xff\xd9", b"\x7f\xff\xff\xff", b"II*\0", b"acTL", b"iCCP", b"zTXt"]  # fmt: skip


@st.composite
def _images(draw: Any) -> tuple[list[tuple[str, str, bytes]], dict[str, Any]]:
    files = []
    for place in range(draw(st.integers(1, 3))):
        mode = draw(st.sampled_from(["RGB", "L", "P", "1", "RGBA", "I;16", "CMYK", "LA"]))
        size = draw(st.sampled_from([(3, 2), (3, 2), (1, 1), (8, 5)]))
        made = io.BytesIO()
        image = (
            Image
            .frombytes("L", size, bytes(range(size[0] * size[1])))
            .convert(mode if mode != "I;16" else "I")
            .convert(mode)
        )
        kind = draw(st.sampled_from(FORMATS[:3]))
        try:
            image.save(made, kind)
        except OSError:
            image.convert("RGB").save(made, kind)
        raw = draw(mutated(st.just(made.getvalue()), IMAGE_PIECES))
        folder = draw(st.sampled_from(["a", "b", "é", "c d", "a\nb", "\udcff", "x" * 200]))
        files.append((folder, f"{place}.{draw(st.sampled_from(['png', 'jpg', 'bmp', 'PNG', 'txt']))}", raw))
    options = draw(
        st.sampled_from([
            {},
            {"size": 4},
            {"size": [2, 3], "fit": "pad"},
            {"grey": True},
            {"groups": r"(\d)"},
            {"groups": "folder"},
        ])
    )
    return files, options


def _check_images(drawn: Any) -> None:
    files, options = drawn
    for folder, name, raw in files:
        place = Path("all") / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(raw)
    arrays = read(lambda: ImageFolder(folder="all", **options).arrays(False))
    assert len(arrays.x) == len(arrays.y) == len([name for _, name, _ in files if not name.endswith("txt")])
    taken = sorted((folder, name, raw) for folder, name, raw in files if not name.endswith("txt"))
    if not options:
        for image, (_, _, raw) in zip(arrays.x, taken, strict=True):
            opened = Image.open(io.BytesIO(raw))
            if opened.mode in ("L", "RGB") and not opened.getexif():
                plain = np.asarray(opened.convert("RGB"))
                np.testing.assert_array_equal(image, np.moveaxis(plain, 2, 0))


ENTRIES = (
    EntryPoint("CSV, as it is written", _tables(), _check_table),
    EntryPoint(
        "CSV, its form said",
        mutated(_tables().map(_numbers_only), CSV_PIECES),
        _check_csv,
        found=(b"a,y\n0,0\n0," + b"x" * 5000 + b"\n",),
    ),
    EntryPoint("CSV, its form guessed", mutated(_tables().map(_csv_bytes), CSV_PIECES), _check_guessed),
    EntryPoint("words in columns", mutated(SENTENCES.map(_conll_text), CONLL_PIECES), _check_conll),
    EntryPoint("IDX", _idx(), _check_idx),
    EntryPoint("npz", _npz(), _check_npz),
    EntryPoint("images in folders", _images(), _check_images, found=(([("a\nb", "0.png", b"\0PNG")], {}),)),
)
