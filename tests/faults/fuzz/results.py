"""Results that outlive their process, a line of JSON each: a long run goes on where it was ended."""

import json
import tempfile
from pathlib import Path
from typing import Any


def default_file(name: str, number: int) -> Path:
    """Return the file of the results of a seed where none is named."""
    return Path(tempfile.gettempdir()) / f"{name}-{number}.jsonl"


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def add(file: Path, row: dict[str, Any]) -> None:
    """Add a result."""
    with file.open("a") as opened:
        opened.write(json.dumps(row) + "\n")
