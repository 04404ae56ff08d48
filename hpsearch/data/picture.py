"""A picture of augmented samples: what a trial's first epochs make of a few of its images."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from hpsearch.data.augment import Augment
    from hpsearch.data.part import Part

FILE = "augmented.png"
SAMPLES, EPOCHS = 8, 7
TILE = 48
"""Smaller images are enlarged to at least this many pixels a side."""


def draw(augment: "Augment", train: "Part") -> "Tensor":
    """Return a grid of images: a row per sample, the sample as it is and then as each epoch sees it.

    Args:
        augment: of a trial.
        train: the training part.

    Returns:
        [C, H, W] with C 1 or 3, 8-bit.
    """
    import torch

    count = min(SAMPLES, len(train))
    rows = torch.linspace(0, len(train) - 1, count, device=train.device).long()
    ((x, _),) = train.batches(rows, count)
    tiles = torch.stack([x, *(augment(x, rows, epoch) for epoch in range(1, EPOCHS + 1))], 1)
    span = augment.values.white - augment.values.black
    unit = ((tiles - augment.values.black) / span.where(span != 0, 1)).clamp(0, 1)
    if unit.shape[2] != 3:
        unit = unit[:, :, :1]
    times = -(-TILE // min(unit.shape[3:]))
    unit = unit.repeat_interleave(times, 3).repeat_interleave(times, 4)
    framed = torch.nn.functional.pad(unit, (1, 1, 1, 1), value=1.0)
    return (framed.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2) * 255).round().to(torch.uint8).cpu()


def save(picture: "Tensor", path: Path) -> None:
    """Write a picture [C, H, W] of bytes as a PNG file."""
    from PIL import Image

    pixels = picture.permute(1, 2, 0).squeeze(2).numpy() if len(picture) == 1 else picture.permute(1, 2, 0).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def draw_once(augment: "Augment | None", train: "Part", folder: Path, point: int) -> tuple[str, ...]:
    """Write the picture unless another replicate of the point has.

    Args:
        augment: of a trial, None without augmentations.
        train: the training part.
        folder: the trial's folder; the folders of a study's trials are neighbours.
        point: of the trial.

    Returns:
        The file's name, nothing where there is none in this folder.
    """
    if augment is None or not _first(folder, point):
        return ()
    save(draw(augment, train), folder / FILE)
    return (FILE,)


def _first(folder: Path, point: int) -> bool:
    """Whether this trial is the one of its point that draws; the first to ask is, and stays it after a retry."""
    if not folder.name.startswith(f"{point}-"):
        return True  # no study's folder: its neighbours are strangers
    claim = folder.parent / f".{FILE}-{point}"
    claim.parent.mkdir(parents=True, exist_ok=True)
    try:
        with claim.open("x", encoding="utf-8") as file:
            file.write(folder.name)
    except FileExistsError:
        return claim.read_text(encoding="utf-8") == folder.name
    return True
