"""Remove what killed processes left, and rebuild what the record of a study can give back."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.errors import BusyError, first_line
from hpsearch.base.leftovers import leftovers, remove, remove_lock
from hpsearch.base.words import shown_path
from hpsearch.study.doctor.places import locks, store_file, swept
from hpsearch.study.doctor.studies import EMPTY, was_never_begun
from hpsearch.study.folder import folder_lock
from hpsearch.tracking import store


def mended(folders: Sequence[Path], tracker: Mapping[str, Any]) -> Iterator[str]:
    """Mend what this user's dead processes left, and studies that no other command has.

    Args:
        folders: of the studies.
        tracker: its part of a configuration.

    Yields:
        A sentence for each thing that was done, or could not be.
    """
    removed = [path for folder in swept(tracker) for path in remove(leftovers(folder))]
    removed += [lock for lock in locks(tracker) if remove_lock(lock)]
    yield from (f"removed {shown_path(path)}" for path in removed)
    if (file := store_file(tracker)) is not None and file.exists():
        store.tidy(file)
    for folder in folders:
        yield from (f"{folder.name}: {sentence}" for sentence in _told(folder))


def _told(folder: Path) -> Iterator[str]:
    """Mend a study, and say what keeps that from being done."""
    try:
        yield from (sentence.replace(f"{folder}{os.sep}", "") for sentence in _mended_study(folder))
    except BusyError:
        yield "runs now, and is left alone"
    except Exception as error:  # its files may be a stranger's, and other studies are to be mended all the same
        yield f"cannot be mended: {first_line(error) or type(error).__name__}"


def _mended_study(folder: Path) -> Iterator[str]:
    removed = remove(leftovers(folder, deep=True))
    yield from (f"removed {path.relative_to(folder)}" for path in removed)
    if was_never_begun(folder):
        with folder_lock(folder):
            _remove(folder)
        yield "removed, as it was stopped before anything was on record"
    else:
        from hpsearch.study.repair import repair  # imports Optuna, and what writes reports

        yield from repair(folder)


def _remove(folder: Path) -> None:
    """Remove a folder of a study that was never begun, whose lock is held; one that got more meanwhile stays."""
    if was_never_begun(folder):
        for name in EMPTY:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
