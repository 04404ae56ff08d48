"""README.md of a report, with the figures that it shows beside it."""

import re
from collections.abc import Mapping
from pathlib import Path

from hpsearch.base.files import replace_text

README = "README.md"
_SHOWN = re.compile(r"\]\(([\w.-]+\.svg)\)")


def replace_readme(folder: Path, text: str, figures: Mapping[str, str]) -> Path:
    """Write ``README.md`` and its figures, and remove those that only the one before it showed.

    Args:
        folder: where to write; made when it is missing.
        text: what to write.
        figures: by file name, the SVG drawings that the text shows.

    Returns:
        The path of ``README.md``.
    """
    path = folder / README
    before = set(_SHOWN.findall(path.read_text(encoding="utf-8"))) if path.is_file() else set()
    for name, svg in figures.items():
        replace_text(folder / name, svg)
    replace_text(path, text)
    for name in before - set(_SHOWN.findall(text)):
        (folder / name).unlink(missing_ok=True)
    return path
