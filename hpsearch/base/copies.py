"""A study's folder that is a copy of what a database holds."""

import json
import re
from pathlib import Path

from hpsearch.base.files import DATABASE, replace_text
from hpsearch.base.intake import json_file


def mark(folder: Path, url: str, leader: str = "") -> None:
    """Write down in a study's folder that it is a copy.

    Args:
        folder: of the study.
        url: of the database.
        leader: who led the study as it was brought here, see `leader_of`; empty where nobody did.
    """
    text = json.dumps({"url": url, "leader": leader})
    path = folder / DATABASE
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        replace_text(path, text)


def leader_of(folder: Path) -> tuple[str, int] | None:
    """Return host and process of the driver that led a study as it was brought here; None where none did."""
    try:
        known = json_file(folder / DATABASE)
        found = re.fullmatch(r"process (\d{1,18}) on (.*)", known["leader"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return (found[2], int(found[1])) if found else None
