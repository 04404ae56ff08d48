"""How studies are: their state, who holds them, what is unsent, damaged or left over."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpsearch.base.commands import command
from hpsearch.base.errors import DamageError, HpsearchError, StorageError
from hpsearch.base.formats import FORMAT, KEY
from hpsearch.base.inside import check_links
from hpsearch.base.journal import read_lines
from hpsearch.base.leftovers import is_held, leftovers
from hpsearch.base.types import TrialState
from hpsearch.base.words import count, tally
from hpsearch.search.lock import last_driver
from hpsearch.study.doctor.findings import Finding, note, ok, problem
from hpsearch.study.doctor.places import mending
from hpsearch.study.folder import STUDY_FILE, read_yaml
from hpsearch.tracking.damage import lost_ends, strangers
from hpsearch.tracking.events import STUDY, read_study, read_trial, trial_files
from hpsearch.tracking.identity import is_untracked
from hpsearch.tracking.sent import unsent

JOURNAL = "optuna.journal"
EMPTY = frozenset({"lock", "owner.json", STUDY_FILE})
"""What a study holds that was stopped before its record began."""
_UNTRACKED = "untracked"
_SHOWN = 3
_ENDED = {True: "has ended", False: "let go of it", None: "let go of it, or has ended"}
_SAME = "the same command again goes on with it"
_WORD = re.compile(r"[+~]{0,2}[A-Za-z][\w.\[\]]*=")
_TRUSTED = frozenset({"plugins", "trainer", "tracker", "storage", "hydra"})
"""Parts of a configuration that may name programs, packages and stores."""


def study_folders(studies: Path) -> list[Path]:
    """Return the folders of a folder of studies that are studies, or were to be; published reports are none."""
    folders = sorted(each for each in studies.glob("*/") if each.is_dir())
    return [each for each in folders if _is_run_here(each) or ((each / STUDY_FILE).exists() and not is_published(each))]


def is_published(folder: Path) -> bool:
    """Return whether a folder holds a report and not the record that it was made from, as one that is committed."""
    return (folder / "README.md").exists() and not _is_run_here(folder)


def _is_run_here(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("events", "trials", JOURNAL, *EMPTY - {STUDY_FILE}))


def was_never_begun(folder: Path) -> bool:
    """Return whether nothing of a study's folder is on record, and nothing in it could be lost."""
    return {each.name for each in folder.iterdir()} <= EMPTY


def study(folder: Path, uri: str | None, words: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield how a study is.

    Args:
        folder: of the study.
        uri: absolute address of the tracking store; None where there is none.
        words: of the command line that name the store.
    """
    name, held = folder.name, is_held(folder / "lock")
    try:
        check_links(folder)
    except StorageError as error:
        yield problem(name, str(error).replace(f"{folder}{os.sep}", ""), "")
        return
    if is_published(folder):
        yield ok(name, "a report without its record: to be read, not to be gone on with")
    elif was_never_begun(folder) and not held:
        yield note(name, "was stopped before anything was on record", mending(name))
    elif not (folder / "events" / f"{STUDY}.jsonl").exists() and not held:
        way = _SAME if (folder / "events").is_dir() else "restore the folder from a copy"
        yield problem(name, f"events/{STUDY}.jsonl of its record is missing", way)
    else:
        of, damaged = _read(folder)
        yield from _record(folder, of, held, damaged)
        if held or not damaged:
            yield from _owner(folder, of, held)
        yield from _lost(folder, of, damaged)
        if uri and not held and not damaged and not of.get(_UNTRACKED):
            yield from _unsent(folder, uri, command("sync", name, *words))
    yield from _left_over(folder)


def _read(folder: Path) -> tuple[dict[str, Any], list[HpsearchError]]:
    """Return what a study recorded of itself and its description, and what cannot be read of them."""
    of: dict[str, Any] = {}
    found: list[HpsearchError] = []
    with _noted(found):
        of |= read_study(folder)
    with _noted(found):
        written = read_yaml(folder / STUDY_FILE)
        of |= {KEY: written.get(KEY, FORMAT), "command": written.get("command")}
        of[_UNTRACKED] = is_untracked(_config(written))
    return of, found


@contextmanager
def _noted(damaged: list[HpsearchError]) -> Iterator[None]:
    """Note what cannot be read in the block, and go on."""
    try:
        yield
    except HpsearchError as error:
        damaged.append(error)


def _config(written: Mapping[str, Any]) -> Mapping[str, Any]:
    config = written.get("config")
    return config if isinstance(config, dict) else {}


def _record(folder: Path, of: Mapping[str, Any], held: bool, damaged: list[HpsearchError]) -> Iterator[Finding]:
    """Yield the states of a study and its trials, and the files that cannot be read, which join `damaged`."""
    states: Counter[TrialState] = Counter()
    with _noted(damaged):
        read_lines(folder / JOURNAL)
    for path in trial_files(folder):
        with _noted(damaged):
            states.update([trial.state] if (trial := read_trial(path)) else [])
    state = "running" if held else str(of["state"]["state"]).lower() if "state" in of else "interrupted"
    readable = f"; {count(len(damaged), 'file')} cannot be read" if damaged else ""
    said = f"{state}: {tally(states) or 'no trials'}{readable}; format {of.get(KEY, 'unknown')}"
    yield (note if damaged else ok)(folder.name, said)
    for each in damaged[:_SHOWN]:
        text = str(each).replace(f"{folder}{os.sep}", "").partition("; restore the file")[0]
        yield problem(folder.name, text, mending(folder.name) if isinstance(each, DamageError) else "")
    if len(damaged) > _SHOWN:
        yield problem(folder.name, f"and {len(damaged) - _SHOWN} more files", mending(folder.name))


def _owner(folder: Path, of: Mapping[str, Any], held: bool) -> Iterator[Finding]:
    """Yield who has the study, or had it when it was interrupted."""
    try:
        driver = last_driver(folder)
    except DamageError as error:
        yield note(folder.name, str(error).replace(f"{folder}{os.sep}", ""))
        return
    if driver is None:
        return
    who, gone = f"process {driver.pid} on {driver.host}", None if driver.is_alive is None else not driver.is_alive
    if held and gone is not False:
        yield note(folder.name, f"its lock is held, and not by {who}, which had it last")
    elif held:
        yield ok(folder.name, f"{who} has it")
    elif "state" not in of:
        yield note(folder.name, f"{who}, which had it last, {_ENDED[gone]}", _again(of))


def _lost(folder: Path, of: Mapping[str, Any], damaged: list[HpsearchError]) -> Iterator[Finding]:
    """Yield files that are none of the record, and ends of trials that it lost."""
    yield from (note(folder.name, text.replace(f"{folder}{os.sep}", "")) for text in strangers(folder))
    for text in [] if damaged else lost_ends(folder):
        yield problem(folder.name, text.partition("; ")[0].partition(": ")[2], _again(of))


def _again(of: Mapping[str, Any]) -> str:
    """Return the command that began a study, where its words say what to train and nothing else.

    A stranger's record is not to tell anybody which programs, packages and stores to use.
    """
    try:
        python, module, name, *words = shlex.split(str(of.get("command")))
    except ValueError:
        return _SAME
    roots = {re.split(r"[.=\[]", word.lstrip("+~"))[0] for word in words}
    if (python, module, name) != ("python", "-m", "hpsearch") or not all(map(_WORD.match, words)) or roots & _TRUSTED:
        return _SAME
    return command(*words)


def _unsent(folder: Path, uri: str, sync: str) -> Iterator[Finding]:
    """Yield how much a store has not received."""
    try:
        names = unsent(folder, uri)
    except HpsearchError as error:
        yield note(folder.name, f"{error}: all is sent again", sync)
        return
    if names:
        said = f"{count(len(names), 'event file')} not sent to the store"
        yield note(folder.name, said, sync)


def _left_over(folder: Path) -> Iterator[Finding]:
    """Yield what killed processes left in a study's folder."""
    found = [*leftovers(folder, deep=True)]
    ours = sorted(str(each.path.relative_to(folder)) for each in found if each.is_ours)
    if ours:
        more = f" and {len(ours) - _SHOWN} more" if len(ours) > _SHOWN else ""
        yield note(folder.name, f"left by killed processes: {', '.join(ours[:_SHOWN])}{more}", mending(folder.name))
    for each in [each.path for each in found if each.is_ours is None][:_SHOWN]:
        yield note(folder.name, f"{each.name} is of another machine or container", command_to_remove(each))


def command_to_remove(path: Path) -> str:
    """Return what removes a file or folder of another machine's."""
    return f"once nothing runs there: rm -r {shlex.quote(str(path))}"
