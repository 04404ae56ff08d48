"""Text in Markdown: whoever wrote it, it is text and no more."""

from hpsearch.base.printed import visible

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"}
_ESCAPES = str.maketrans({**_ENTITIES, **{character: f"\\{character}" for character in "\\*_[]$"}})


def markdown_text(text: str) -> str:
    """Escape what Markdown or HTML would read as more than text: one line, control characters visible."""
    return visible(" ".join(text.split()).translate(_ESCAPES))
