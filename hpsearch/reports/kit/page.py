"""How a page is put together: one file that makes no request, and whatever a user wrote in it is shown as text."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from hpsearch.reports.kit.theme import dark_partners


def render_page(template: str, **fields: Any) -> str:
    """Return a page.

    Args:
        template: its file below the reports, ``summary/page.html.j2``; it extends ``kit/base.html.j2``.
        fields: what it shows.

    Returns:
        HTML with plotly's code, the figures' data, style and script inside.
    """
    return (
        _templates()
        .get_template(template)
        .render(
            style=_resource("page.css"),
            script=_resource("page.js"),
            plotly=get_plotlyjs(),
            dark=script_json(dark_partners()),
            **fields,
        )
    )


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
    """A figure with its heading, how to read it, its alternative text and its data as JSON."""

    name: str
    title: str
    aid: str
    alt: str
    data: str


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: no tag can begin or end in it."""
    return _script_safe(json.dumps(value))


def panel(name: str, title: str, aid: str, figure: Figure) -> Panel:
    """Return a figure as a page holds it."""
    return Panel(name, title, aid, figure.layout.meta["alt"], _script_safe(figure.to_json()))


def _script_safe(text: str) -> str:
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
