"""The report of a search: what writes it, and which files it leaves.

Neither the configuration nor a search is imported here: a report is made of what is on record.
"""

from pathlib import Path

from hpsearch.base.files import REPORT
from hpsearch.base.types import TrialTable

WRITERS = ("hpsearch.reports.summary.page", "hpsearch.reports.diagnosis.table", "hpsearch.reports.kit.still")
"""What writes the report of a search; imported while it runs."""
STAGE_WRITERS = (*WRITERS, "hpsearch.reports.recipe.page", "hpsearch.reports.ablation.write")
"""The same for a search that is a stage, with what writes the report of the whole."""


def write_search_report(table: TrialTable, folder: Path) -> Path:
    """Write the report of a search into a folder and return the path of its page."""
    from hpsearch.reports.diagnosis.table import diagnosis_table
    from hpsearch.reports.summary.importance import begin_importance
    from hpsearch.reports.summary.numbers import Findings, summarize
    from hpsearch.reports.summary.page import write_found

    summary = summarize(table)
    importance = begin_importance(summary)
    diagnosis = diagnosis_table(table, summary)
    return write_found(Findings(table, summary, importance()), folder, diagnosis)


def report_files(folder: Path) -> list[str]:
    """Return the names of what a report left in a study's folder: the page, its figures as images, the tables."""
    names = (REPORT, "README.md", *(path.name for kind in ("*.svg", "*.csv") for path in sorted(folder.glob(kind))))
    return [name for name in names if (folder / name).is_file()]
