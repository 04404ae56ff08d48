"""Tiny data files of every kind that a source reads, and a user's dataset."""

import atexit
import shutil
import struct
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

CIFAR_RECORD = 3073


class Points(Dataset):
    """Points on a plane, the class is the quadrant; with `noise`, shifted anew at every look."""

    def __init__(self, n: int = 120, noise: float = 0.0, targets: bool = True, regression: bool = False):
        generator = torch.Generator().manual_seed(7)
        self.x = torch.randn(n, 2, generator=generator)
        quadrant = (self.x[:, 0] > 0).long() * 2 + (self.x[:, 1] > 0).long()
        self.y = self.x.sum(1) if regression else quadrant
        self.noise = noise
        if targets:
            self.targets = self.y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index] + self.noise * torch.randn(2), self.y[index]


def write_table(path: Path, rows: int = 90) -> Path:
    """Columns id, size, weight, colour, price, kind; kind follows size."""
    random = np.random.default_rng(3)
    lines = ["id,size,weight,colour,price,kind"]
    for i in range(rows):
        size, weight = random.normal(size=2)
        colour = ("red", "green", "blue")[i % 3]
        lines.append(f"{i},{size:.4f},{weight:.4f},{colour},{2 * size + 1:.4f},{'ab'[int(size > 0)]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_npz(path: Path, n: int = 90) -> Path:
    random = np.random.default_rng(4)
    y = np.arange(n) % 3
    x = random.integers(0, 50, (n, 6, 6)) + 60 * y[:, None, None]
    np.savez(path, x=x.astype(np.uint8), y=y, x_test=x[:30].astype(np.uint8), y_test=y[:30])
    return path


def write_images(folder: Path, per_class: int = 30, size: tuple[int, int] = (8, 8)) -> Path:
    """Classes cat and dog, PNG and JPEG, dogs brighter."""
    random = np.random.default_rng(5)
    for number, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            pixels = random.integers(0, 120, (*size, 3), dtype=np.uint8) + np.uint8(120 * number)
            Image.fromarray(pixels).save(folder / name / f"{i:03d}.{('png', 'jpg')[i % 2]}")
    return folder


def write_mnist(folder: Path, n: int = 100) -> Path:
    """The four IDX files; every pixel of an image is 25 x its label."""
    folder.mkdir(parents=True)
    labels = np.arange(n, dtype=np.uint8) % 10
    for part in ("train", "t10k"):
        images = np.repeat(25 * labels, 28 * 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, n, 28, 28) + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, n) + labels.tobytes())
    return folder


def write_cifar10(folder: Path, per_batch: int = 20) -> Path:
    """The layout of the binary version: five batches and the test batch; every pixel of an image is 25 x its label."""
    (folder / "cifar-10-batches-bin").mkdir(parents=True)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        labels = np.arange(per_batch, dtype=np.uint8) % 10
        records = np.repeat(labels[:, None], CIFAR_RECORD, 1)
        records[:, 1:] *= 25
        (folder / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def write_conll(path: Path, sentences: int = 90) -> Path:
    """Words, a column between, and tags; every third sentence names a place of two words."""
    lines = ["-DOCSTART- -X- O", ""]
    for i in range(sentences):
        place = [("new", "B-to"), ("york", "I-to")] if i % 3 == 0 else [(("rome", "oslo")[i % 2], "B-to")]
        lines += [f"{word} - {tag}" for word, tag in [("to", "O"), *place, *[("please", "O")] * (i % 4)]] + [""]
    path.write_text("\n".join(lines))
    return path


@cache
def folder() -> Path:
    """A temporary folder with one of each, removed at exit."""
    made = Path(tempfile.mkdtemp(prefix="hpsearch-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    write_table(made / "table.csv")
    write_conll(made / "words.conll")
    write_npz(made / "arrays.npz")
    write_images(made / "images")
    write_cifar10(made / "cifar")
    write_mnist(made / "mnist")
    return made
