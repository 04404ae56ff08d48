"""How a page is put together: one file that makes no request, and whatever a user wrote in it is shown as text."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from hpsearch.reports.kit.theme import dark_partners
from hpsearch.reports.summary.panels import script_json


def render_page(template: str, **fields: Any) -> str:
    """Return a page.

    Args:
        template: its file among the templates; it extends ``base.html.j2``.
        fields: what it shows.

    Returns:
        HTML with plotly's code, the figures' data, style and script inside.
    """
    return (
        _templates()
        .get_template(template)
        .render(
            style=_resource("report.css"),
            script=_resource("report.js"),
            plotly=get_plotlyjs(),
            dark=script_json(dark_partners()),
            **fields,
        )
    )


@cache
def _templates() -> Environment:
    loader = PackageLoader("hpsearch.reports")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _resource(name: str) -> str:
    return (files("hpsearch.reports") / "templates" / name).read_text(encoding="utf-8")
