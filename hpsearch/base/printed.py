"""Text on its way to a terminal: without secrets, and with nothing in it that a terminal would obey.

Names, reasons and tracebacks may be a stranger's: an escape sequence in them could rewrite what stands above it.
"""

import re
import sys
from typing import TextIO

from hpsearch.base.passwords import without_password
from hpsearch.base.streams import Forgiving

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # other ends of lines, other directions of writing
    "\ud800-\udfff]"  # halves of characters, as of names of files that are no UTF-8
)


def visible(text: str) -> str:
    """Return a text whose control characters are written as Python writes them: ``\\x1b[2J``, ``\\u202e``, ``\\r``.

    Line feeds and tabs stay.
    """
    return _OBEYED.sub(lambda found: repr(found[0])[1:-1], text)


def printable(text: str) -> str:
    """Return a text as it may be printed: without the secrets of addresses, control characters visible."""
    return visible(without_password(text))


def on_one_line(text: str) -> str:
    """Return a text as a cell of a printed table, with line feeds and tabs visible too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def say(text: str, stream: TextIO | None = None, end: str = "\n") -> None:
    """Print a text that may quote what others wrote.

    Args:
        text: see `printable`.
        stream: where to; None: standard output.
        end: printed behind it.
    """
    out = Forgiving(stream or sys.stdout)
    out.write(printable(text) + end)
    out.flush()
