"""The report of a search: what writes it, and which files it leaves.

Neither the configuration nor a search is imported here: a report is made of what is on record.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.base.files import REPORT
from hpsearch.base.types import TrialTable

if TYPE_CHECKING:
    from hpsearch.reports.kit.tables import Table

WRITERS = ("hpsearch.reports.summary.page", "hpsearch.reports.diagnosis.table")
"""What writes the report of a search; imported while it runs."""


def write_search_report(table: TrialTable, folder: Path) -> Path:
    """Write the report of a search into a folder and return the path of its page."""
    from hpsearch.reports.summary.page import write_report

    return write_report(table, folder, diagnosed(table))


def diagnosed(table: TrialTable) -> "Table | None":
    """Return the trials of a search that show a fault, if any."""
    from hpsearch.reports.diagnosis.table import diagnosis_table
    from hpsearch.reports.kit.points import results_of

    return diagnosis_table(table, results_of(table))


def report_files(folder: Path) -> list[str]:
    """Return the names of what a report left in a study's folder: the page, its figures as images, the tables."""
    names = (REPORT, "README.md", *(path.name for kind in ("*.svg", "*.csv") for path in sorted(folder.glob(kind))))
    return [name for name in names if (folder / name).is_file()]
