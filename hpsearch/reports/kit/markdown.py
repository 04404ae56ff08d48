"""Tables, text and commands in Markdown."""

from collections.abc import Sequence

from hpsearch.base.markdown import markdown_text
from hpsearch.base.printed import visible
from hpsearch.reports.kit.tables import Row, Section, Table


def markdown_table(headings: Sequence[str], rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown, the best one in bold."""
    head = [[markdown_text(heading) for heading in headings], ["---"] * len(headings)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *_body(rows)])


def aligned_table(table: Table) -> str:
    """Return a table in Markdown whose source lines up, numbers to the right; the best row is bold."""
    places = range(len(table.headings))
    head, body = [markdown_text(heading) for heading in table.headings], _body(table.rows)
    widths = [max(3, *(len(cells[place]) for cells in [head, *body])) for place in places]
    right = [table.numeric(place) for place in places]
    rule = ["-" * (width - last) + ":" * last for width, last in zip(widths, right, strict=True)]
    padded = [
        [
            text.rjust(width) if last else text.ljust(width)
            for text, width, last in zip(cells, widths, right, strict=True)
        ]
        for cells in [head, rule, *body]
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def markdown_file(name: str, sections: Sequence[Section]) -> str:
    """Return the tables of a report under their titles.

    Args:
        name: of the study.
        sections: its tables.
    """
    parts = [f"# Tables of {markdown_text(name)}"]
    for section in sections:
        parts += [f"## {markdown_text(section.title)}", markdown_text(section.aid), aligned_table(section.table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _body(rows: Sequence[Row]) -> list[list[str]]:
    return [[_bold(markdown_text(cell.text), row.best) for cell in row.cells] for row in rows]


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best and text else text


def shell_block(commands: Sequence[tuple[str, str]]) -> str:
    """Return commands as one block of code, each under what it does; its fence is longer than any inside."""
    return text_block("\n".join(f"# {what}\n{command}" for what, command in commands), "sh")


def text_block(text: str, language: str = "") -> str:
    """Return text as a block of code, whose fence is longer than any inside."""
    text, fence = visible(text), "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
