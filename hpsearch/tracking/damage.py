"""Files of a study that are damaged, or that somebody left beside those of the record."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from hpsearch.base.commands import command
from hpsearch.base.errors import DamageError, StorageError
from hpsearch.base.journal import Journal, salvaged
from hpsearch.base.words import count as number_of
from hpsearch.tracking.events import STUDY, read_study, read_trial, trial_files
from hpsearch.tracking.lines import STUDY_RULES, checked, is_stem, last_state

DAMAGED = "damaged"
_NAMED = 3


def kept_aside(path: Path) -> Path:
    """Rename a damaged file, so that another one can take its place; return what it is called now."""
    names = (f"{path.name}.{DAMAGED}" + (f"_{number}" if number > 1 else "") for number in count(1))
    free = next(place for name in names if not (place := path.with_name(name)).exists())
    return path.rename(free)


def mend_events(folder: Path) -> list[str]:
    """Keep the damaged event files of a study aside, so that what was in them is recorded again.

    Of the study's own file the lines that are whole are kept; a trial without a file is trained again.

    Args:
        folder: of the study, whose lock is held.

    Returns:
        What was done, a line each.
    """
    lines = []
    try:
        read_study(folder)
    except DamageError as error:
        lines.append(f"{_what(error)}; {_kept(_begin_again(folder))}, and what is whole of it goes on")
    for path, damage in _damaged(folder):
        lines.append(f"{_what(damage)}; {_kept(kept_aside(path))}, and the trial is to be trained again")
    return lines


def _what(error: DamageError) -> str:
    return str(error).partition("; ")[0]


def _kept(aside: Path) -> str:
    return f"kept as {aside.name}"


def _begin_again(folder: Path) -> Path:
    path = folder / "events" / f"{STUDY}.jsonl"
    events, aside = salvaged(path), kept_aside(path)
    again = Journal(path)
    for event in events:
        with suppress(StorageError):
            for line in checked([event], path, STUDY_RULES):
                again.append(line, sealed=True)
    again.flush(fsync=True)
    return aside


def _damaged(folder: Path) -> Iterator[tuple[Path, DamageError]]:
    for path in trial_files(folder):
        try:
            if not last_state(path).finished:
                read_trial(path)
        except DamageError as error:
            yield path, error


def strangers(folder: Path) -> list[str]:
    """Return what is said of files beside the event files of a study that are none, such as copies: nothing, or a line.

    Files that hpsearch itself keeps aside or is writing are not named.
    """
    events = folder / "events"
    found = sorted(path.name for path in events.iterdir() if _is_strange(path)) if events.is_dir() else []
    if not found:
        return []
    named = ", ".join(map(repr, found[:_NAMED])) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
    are, they = ("are no event files", "they are") if len(found) > 1 else ("is no event file", "it is")
    return [f"{events}: {named} {are} of this study's trials: {they} passed over; remove what you do not need"]


def lost_ends(folder: Path) -> list[str]:
    """Return what is said of trials that had ended when a study was concluded and have no end on record any more."""
    study = read_study(folder)
    expected = (study.get("state") or {}).get("trials")
    if type(expected) is not int:
        return []
    lost = expected - sum(last_state(path).finished for path in trial_files(folder))
    if lost <= 0:
        return []
    again = study.get("command") or command(f"+study={folder.name}")
    return [f"study '{folder.name}': the ends of {number_of(lost, 'trial')} are lost; `{again}` trains them again"]


def is_incomplete(folder: Path) -> bool:
    """Return whether a study lacks ends of trials, or its own record, that were there, or a file of its is damaged.

    Args:
        folder: of the study; where there is none, nothing is lacking.
    """
    try:
        return bool(lost_ends(folder)) or (folder.is_dir() and not read_study(folder))
    except DamageError:
        return True


def _is_strange(path: Path) -> bool:
    is_ours = path.suffix == ".jsonl" and (path.stem == STUDY or is_stem(path.stem))
    return not is_ours and DAMAGED not in path.suffix and path.suffix != ".new"
