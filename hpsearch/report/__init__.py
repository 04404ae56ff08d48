"""What a study leaves for people to read: a self-contained HTML page, a README with static figures, a table."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.types import TrialTable


def write(table: "TrialTable", folder: Path) -> Path:
    """Write ``report.html``, ``README.md``, its SVG figures and ``trials.csv`` of a study; each replaced in one move.

    Args:
        table: the study.
        folder: where to write; made when it is missing.

    Returns:
        The path of ``report.html``.
    """
    from hpsearch.report.findings import find
    from hpsearch.report.html import write_report
    from hpsearch.report.readme import write_readme

    found = find(table)
    write_readme(found, folder)
    return write_report(found, folder)
