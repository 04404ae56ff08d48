"""Whether the report of a study is the one that would be written now."""

import glob
import hashlib
from collections.abc import Iterator
from pathlib import Path

from hpsearch.base.files import DATABASE, PRINT, TABLES, is_too_open, replace_text
from hpsearch.study.writing import report_files
from hpsearch.tracking.events import trial_files

STAMP = ".report"
_IDLE = frozenset({STAMP, "lock", "owner.json", "optuna.journal", "tracking", DATABASE, "drivers", PRINT, *TABLES})
"""What lies in a study's folder that no report shows."""
_PACKAGE = Path(__file__).resolve().parents[1]
_CODE = frozenset({".py", ".j2", ".css", ".js"})


def stamp(folder: Path) -> None:
    """Note what the report of a study was made of, and what it left; called when it has just been written."""
    replace_text(folder / STAMP, f"{_digest(folder)}\n{_digest_of_trials(folder)}\n")


def is_unchanged(folder: Path) -> bool:
    """Return whether nothing has changed since the last report was written: records, pages, the code that writes them.

    Sizes and times of files are compared, not what is in them. A report that more people may read than the umask lets
    is another one, too.
    """
    file = folder / STAMP
    try:
        return not is_too_open(file) and _noted(folder)[0] == _digest(folder)
    except OSError:
        return False


def is_whole(folder: Path) -> bool:
    """Return whether a search has the report of its trials as they are, and each file that it left.

    What the study recorded of itself since, such as that it was looked at, makes no other report.
    """
    try:
        return _noted(folder)[1] == _digest_of_trials(folder)
    except OSError:
        return False


def _noted(folder: Path) -> tuple[str, str]:
    whole, _, trials = (folder / STAMP).read_text(encoding="utf-8").partition("\n")
    return whole, trials.rstrip("\n")


def _digest_of_trials(folder: Path) -> str:
    files = [*trial_files(folder), *(folder / name for name in report_files(folder))]
    said = [(path.name, (state := path.stat()).st_size, state.st_mtime_ns) for path in files]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    studies = (folder, *folder.parent.glob(f"{glob.escape(folder.name)}.*"))  # its stages are studies beside it
    for path in sorted(file for study in studies for file in _files(study)) + _code():
        state = path.stat()
        found.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _files(study: Path) -> Iterator[Path]:
    for each in study.iterdir():
        if each.name not in _IDLE:
            yield from filter(Path.is_file, each.rglob("*")) if each.is_dir() else (each,)


def _code() -> list[Path]:
    return sorted(path for path in _PACKAGE.rglob("*") if path.suffix in _CODE)
