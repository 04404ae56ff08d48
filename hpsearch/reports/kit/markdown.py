"""Tables, text and commands in Markdown."""

from collections.abc import Sequence

from hpsearch.reports.kit.tables import Row

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"}
_ESCAPES = str.maketrans({**_ENTITIES, **{character: f"\\{character}" for character in "\\*_[]$"}})


def markdown_table(headings: Sequence[str], rows: Sequence[Row]) -> str:
    """Return rows as a table in Markdown, the best one in bold."""
    head = [[markdown_text(heading) for heading in headings], ["---"] * len(headings)]
    body = [[_bold(markdown_text(cell.text), row.best) for cell in row.cells] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *body])


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best and text else text


def shell_block(commands: Sequence[tuple[str, str]]) -> str:
    """Return commands as one block of code, each under what it does; its fence is longer than any inside."""
    return text_block("\n".join(f"# {what}\n{command}" for what, command in commands), "sh")


def text_block(text: str, language: str = "") -> str:
    """Return text as a block of code, whose fence is longer than any inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


def markdown_text(text: str) -> str:
    """Escape what Markdown or HTML would read as more than text."""
    return " ".join(text.translate(_ESCAPES).split())
