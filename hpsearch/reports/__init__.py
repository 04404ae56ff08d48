"""What a study leaves for people to read: a self-contained HTML page, a README with static figures, a table."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpsearch.base.types import TrialTable


def write(table: "TrialTable", folder: Path) -> Path:
    """Write ``report.html``, ``README.md``, its SVG figures and ``trials.csv`` of a study; each replaced in one move.

    Args:
        table: the study.
        folder: where to write; made when it is missing.

    Returns:
        The path of ``report.html``.
    """
    from hpsearch.reports.summary.findings import find
    from hpsearch.reports.summary.page import write_report
    from hpsearch.reports.summary.readme import write_readme

    found = find(table)
    write_readme(found, folder)
    return write_report(found, folder)
