"""How a page is put together: one file that makes no request, and whatever a user wrote in it is shown as text."""

import base64
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.theme import dark_partners

VIEWS = 5
"""Entries of a figure's menu that a printed page shows, each as a picture of its own."""

ON_SCREEN = "Hover"
"""How a sentence begins that says what can be done with a figure on a screen alone."""


def render_page(template: str, printed: bool = False, **fields: Any) -> str:
    """Return a page, for a screen or for paper.

    Args:
        template: its file below the reports, ``summary/page.html.j2``; it extends ``frame`` and takes its parts from
            ``macros``, of which there is one of each for a screen and one for paper.
        printed: whether it is for paper: A4, figures as numbered still pictures, nothing to click and no script.
        fields: what it shows; panels made for the same use, see `panel`.

    Returns:
        HTML with style and pictures inside; for a screen plotly's code, the figures' data and a script too.
    """
    parts = (
        {"frame": "kit/paper.html.j2", "macros": "kit/paper_macros.html.j2", "style": _resource("paper.css")}
        if printed
        else {
            **{"frame": "kit/base.html.j2", "macros": "kit/macros.html.j2", "style": _resource("page.css")},
            **{"script": _resource("page.js"), "plotly": get_plotlyjs(), "dark": script_json(dark_partners())},
        }
    )
    return _templates().get_template(template).render(printed=printed, number=_numbering(), **parts, **fields)


def _numbering() -> Callable[[str], int]:
    """Return what counts the figures and the tables of a page, each from 1, in the order in which they are shown."""
    counts: dict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
    return lambda kind: next(counts[kind])


@cache
def _templates() -> Environment:
    loader = PackageLoader("hpsearch.reports", "")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _resource(name: str) -> str:
    return files("hpsearch.reports.kit").joinpath(name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Tile:
    """A key number: what it is, the number, what to know of it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A figure with its heading and how to read it.

    Attributes:
        name: by which it is asked for.
        title: its heading.
        aid: how to read it.
        alt: what it shows, for those who cannot see it.
        data: for a screen, its data as JSON.
        stills: for paper, what each picture shows of it, empty where it is the only one, and the picture as an address.
    """

    name: str
    title: str
    aid: str
    alt: str
    data: str = ""
    stills: tuple[tuple[str, str], ...] = ()


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: no tag can begin or end in it."""
    return _script_safe(json.dumps(value))


def panel(name: str, title: str, aid: str, figure: Figure, printed: bool = False) -> Panel:
    """Return a figure as a page holds it.

    Args:
        name: by which it is asked for.
        title: its heading.
        aid: how to read it.
        figure: in the house style.
        printed: whether the page is for paper: then a menu becomes pictures, one of each of its first `VIEWS` entries.
    """
    alt = figure.parts["layout"]["meta"]["alt"]
    if not printed:
        return Panel(name, title, aid, alt, data=_script_safe(figure.to_json()))
    from hpsearch.reports.kit.still import still, views  # matplotlib, which a page on a screen does without

    stills = tuple((label, picture(still(view))) for label, view in itertools.islice(views(figure), VIEWS))
    told = " ".join(sentence for sentence in re.split(r"(?<=\.) ", aid) if not sentence.startswith(ON_SCREEN))
    return Panel(name, title, told, alt, stills=stills)


def picture(svg: str) -> str:
    """Return an SVG drawing as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _script_safe(text: str) -> str:
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
