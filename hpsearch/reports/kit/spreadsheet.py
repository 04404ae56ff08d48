"""Tables as CSV, in which a spreadsheet finds nothing to compute."""

from typing import TYPE_CHECKING, Any

from hpsearch.base.printed import visible

if TYPE_CHECKING:
    import pandas as pd

_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that Excel, LibreOffice or Google's tables take for a formula."""


def inert(value: Any) -> Any:
    """Return a cell that no spreadsheet computes: a text that begins like a formula gets an apostrophe in front.

    Numbers stay as they are, those that are written as text too; control characters are visible.
    """
    if not isinstance(value, str) or is_number(value):
        return value
    return visible(f"'{value}" if value.startswith(_COMPUTED) else value)


def is_number(text: str) -> bool:
    """Return whether a text is a number and nothing else."""
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def as_csv(frame: "pd.DataFrame") -> str:
    """Return a table as CSV, its headings in the first line."""
    import pandas as pd

    columns = [
        column if pd.api.types.is_numeric_dtype(column) else pd.Series(map(inert, column), column.index, object)
        for _, column in frame.items()
    ]
    shown = pd.concat(columns, axis=1, keys=[inert(str(name)) for name in frame])
    return str(shown.to_csv(index=False, lineterminator="\n"))
