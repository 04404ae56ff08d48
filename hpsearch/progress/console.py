"""Where text goes: a terminal, or a stream that takes plain lines."""

import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from hpsearch.base.printed import printable
from hpsearch.base.streams import Forgiving


def make_console(stream: TextIO | None = None) -> Console:
    """Return a console on a stream (None: standard output) that takes text as it is: names may look like markup."""
    out: Any = Forgiving(stream or sys.stdout)
    return Console(file=out, markup=False, emoji=False, highlight=False)


def is_fancy(console: Console, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether boxes and a redrawn display are welcome: not without a terminal, with ``NO_COLOR`` or ``CI``."""
    plain = environ.get("NO_COLOR") or environ.get("CI") or environ.get("TERM") == "dumb"
    return console.is_terminal and not plain


def styled(text: str, style: str = "") -> Text:
    """Return a text to print on a console that may quote what others wrote, see `hpsearch.base.printed`."""
    return Text(printable(text), style=style)
