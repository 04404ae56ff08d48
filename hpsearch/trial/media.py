"""What a trial logs beside numbers, written as files that stay data: pictures, figures, tables and texts."""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.files import replacement
from hpsearch.base.media import FIGURE, IMAGE, MEDIA, MOST_BYTES, NAME, TABLE, TEXT, Medium, media_in
from hpsearch.base.words import count

MOST_FILES = 200
"""A trial keeps so many; further ones are left out."""
CUT = "\n... the rest is left out"
ALLOWED = "a picture (PIL, or numbers [H, W], [H, W, 3 or 4] or of torch [3, H, W]), a figure of matplotlib or plotly, "
ALLOWED += "a table (a DataFrame, a list of mappings, or a mapping of lists) or a text"


def save(folder: Path, name: str, value: Any, epoch: int) -> Medium | None:
    """Write something that a trial logs.

    A picture that is too large for a file of 1 MiB is made smaller, of a table and a text the rest is left out.

    Args:
        folder: of the trial.
        name: of what it shows: letters, digits, ``_ . -`` and spaces.
        value: a picture (of PIL; of numpy [H, W] or [H, W, 3 or 4], or of torch [1, 3 or 4, H, W], whole numbers up to
            255 or others from 0 to 1), a figure of matplotlib or plotly, a table (a DataFrame, a list of mappings, a
            mapping of lists), or a text.
        epoch: after which; one of the same name and epoch is replaced.

    Returns:
        What was written; None where the trial has too many already.

    Raises:
        ConfigError: the name or the value is of another kind, or a figure is too large.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(
            f"hpsearch.log: name = {name!r:.80}: must be letters, digits, '_', '.', '-' and spaces, up to 60"
        )
    kind, content = _content(name, value)
    medium = Medium(name, epoch, kind)
    path = folder / medium.path
    if not path.exists() and _full(folder, name):
        return None
    with replacement(path) as file:
        file.write_bytes(content)
    for other in path.parent.glob(f"{epoch}.*"):
        if other.name != path.name and Medium.of(f"{MEDIA}/{name}/{other.name}") is not None:
            other.unlink()
    return medium


def _full(folder: Path, name: str) -> bool:
    if len(media_in(folder)) < MOST_FILES:
        return False
    print(f"hpsearch.log: {name!r} is left out: the trial has {count(MOST_FILES, 'file')} already", file=sys.stderr)
    return True


def _content(name: str, value: Any) -> tuple[str, bytes]:
    if isinstance(value, str):
        return TEXT, _cut(value)
    if _is_of(value, "plotly", "to_json"):
        return FIGURE, _plotly(name, value)
    if _is_of(value, "matplotlib", "savefig"):
        buffer = io.BytesIO()
        value.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
        return IMAGE, _png(_opened(buffer.getvalue()))
    rows = _rows(value)
    if rows is not None:
        return TABLE, _cut(rows)
    return IMAGE, _png(_picture(name, value))


def _is_of(value: Any, package: str, method: str) -> bool:
    return hasattr(value, method) and any(each.__module__.partition(".")[0] == package for each in type(value).__mro__)


def _cut(text: str) -> bytes:
    """Return a text as a file holds it, up to whole lines where it is too long."""
    content = text.encode("utf-8", errors="replace")
    if len(content) <= MOST_BYTES:
        return content
    kept = content[: MOST_BYTES - len(CUT)].decode("utf-8", errors="ignore")
    return (kept.rpartition("\n")[0] or kept).encode() + CUT.encode()


def _plotly(name: str, figure: Any) -> bytes:
    content: bytes = figure.to_json().encode()
    if len(content) > MOST_BYTES:
        raise ConfigError(
            f"hpsearch.log: the figure {name!r} has {len(content):,} bytes: must have {MOST_BYTES:,} at most"
        )
    return content


def _rows(value: Any) -> str | None:
    """Return a table as lines of separated values; None for what is no table."""
    if _is_of(value, "pandas", "to_csv"):
        text: str = value.to_csv(index=False)
        return text
    if isinstance(value, Mapping) and value and all(_is_list(column) for column in value.values()):
        value = [dict(zip(value, row, strict=False)) for row in zip(*value.values(), strict=False)]
    if not (_is_list(value) and value and all(isinstance(row, Mapping) for row in value)):
        return None
    headings = list(dict.fromkeys(str(key) for row in value for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, headings, lineterminator="\n")
    writer.writeheader()
    writer.writerows({str(key): each for key, each in row.items()} for row in value)
    return buffer.getvalue()


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _picture(name: str, value: Any) -> Any:
    """Return a value as a picture of PIL."""
    import numpy as np
    from PIL import Image

    if isinstance(value, Image.Image):
        return value
    is_tensor = _is_of(value, "torch", "detach")
    array = np.asarray(value.detach().float().cpu() if is_tensor and value.is_floating_point() else value)
    if is_tensor and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    array = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))
    if not is_picture or array.size == 0 or array.dtype.kind not in "buif":
        what = f"numbers {list(array.shape)}" if array.dtype.kind in "buif" and array.ndim else type(value).__name__
        raise ConfigError(f"hpsearch.log: {name!r} is {what}: must be {ALLOWED}")
    if array.dtype.kind == "f":
        array = np.nan_to_num(array.clip(0, 1)) * 255 + 0.5
    elif array.dtype.kind == "b":
        array = array * 255
    return Image.fromarray(array.clip(0, 255).astype(np.uint8))


def _opened(content: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(content))


def _png(picture: Any) -> bytes:
    """Return a picture as a file, half as large in both directions until it fits."""
    if picture.mode not in ("1", "L", "LA", "RGB", "RGBA"):
        picture = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
    while True:
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue()
        picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))
