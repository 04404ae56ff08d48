"""A study brought back to what its record says: `hpsearch doctor --repair`.

The event files are the record. `study.yaml`, the search's journal, the tables and the report are made of them again;
what only they hold is kept aside where it is damaged, and named. Nothing is trained.
"""

from pathlib import Path

from hpsearch.base.errors import StorageError
from hpsearch.search.storage import JOURNAL_NAME, JournalStore, open_own
from hpsearch.study.existing import rebuild_report
from hpsearch.study.folder import folder_lock, folder_of, restore_description
from hpsearch.study.unchanged import is_unchanged
from hpsearch.tracking.damage import lost_ends, mend_events, strangers
from hpsearch.tracking.events import read_study
from hpsearch.tracking.record import uid_on_record


def repair(folder: Path) -> list[str]:
    """Rebuild what the record of a study can give back.

    Args:
        folder: of the study, in the folder of studies.

    Returns:
        What was done and what is left to do, a sentence each; none where nothing was amiss. A study that runs is a
        `BusyError`; one that has no record raises a `StorageError`.

    Raises:
        StorageError: there is no record in the folder.
    """
    if not (folder / "events").is_dir():
        raise StorageError(f"{folder}: has no event files, so there is nothing to mend it from")
    with folder_lock(folder):
        said = [*mend_events(folder), *restore_description(folder)]
        if (folder / JOURNAL_NAME).exists():
            open_own(JournalStore(), folder, uid_on_record(folder) or "", said.append).close()
        said += [*strangers(folder), *lost_ends(folder)]
    if folder.resolve() == folder_of(folder.name).resolve() and read_study(folder) and not is_unchanged(folder):
        said.append(f"the report and its tables are written again: {rebuild_report(folder.name)}")
    return said
