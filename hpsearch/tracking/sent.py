"""What a study has already sent to one store: run ids and positions in the event files, saved after each success."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpsearch.base.errors import StorageError
from hpsearch.base.files import replacement
from hpsearch.base.journal import Journal, read_lines
from hpsearch.tracking.events import STUDY, trial_files
from hpsearch.tracking.identity import sent_file
from hpsearch.tracking.runs import SENT, Trail
from hpsearch.tracking.store import sqlite_path
from hpsearch.tracking.writer import FoundRun

KEPT_LINES = 1000


class Sent:
    """Positions in a study's event files up to which a store has them.

    Args:
        folder: the study's folder.
        uri: the store.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder = folder
        self._path = sent_file(folder, uri)
        self._journal = _opened(self._path)
        self._entries: dict[str, dict[str, Any]] = {}
        self._kept_back: dict[str, dict[str, Any]] = {}
        self._is_together = False
        for entry in self._journal.events:
            self._entries[entry["name"]] = entry
        if len(self._journal.events) > KEPT_LINES + 2 * len(self._entries):
            self._compact()

    def run(self, name: str) -> str | None:
        """Return the run an event file is sent to, None when nothing of it is sent."""
        run: str | None = (self._kept_back.get(name) or self._entries.get(name, {})).get("run")
        return run

    def run_beside(self, study: str, name: str) -> str | None:
        """Return the run in the same store of an event file of this study or of another one beside it."""
        if study == self._folder.name:
            return self.run(name)
        file = self._folder.with_name(study) / "tracking" / self._path.name
        entries = filter(is_note, read_lines(file)[0] if file.is_file() else [])
        return next((entry["run"] for entry in reversed([*entries]) if entry["name"] == name), None)

    def path(self, name: str) -> Path:
        """Return an event file by its stem."""
        return self._folder / "events" / f"{name}.jsonl"

    def trail(self, name: str, run: str | None) -> Trail:
        """Return how far an event file is sent, with what its lines said up to there."""
        trail = Trail(run=run)
        entry = self._entries.get(name)
        if entry is not None:
            events, trail.offset = read_lines(self.path(name), end=entry["offset"])
            if name != STUDY:
                trail.take(events)
            trail.run = run
            trail.epoch, trail.step = max(trail.epoch, entry["epoch"]), max(trail.step, entry["step"])
        return trail

    def save(self, name: str, trail: Trail) -> None:
        """Note what is sent of an event file."""
        entry = {"name": name, "run": trail.run, "offset": trail.offset, "epoch": trail.epoch, "step": trail.step}
        self._kept_back[name] = entry
        if not self._is_together:
            self._note()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Note what is saved in the block at its end, all of it or after an error nothing.

        Yields:
            Nothing.
        """
        self._is_together = True
        try:
            yield
        except BaseException:
            self._kept_back.clear()
            raise
        finally:
            self._is_together = False
        self._note()

    def _note(self) -> None:
        for entry in self._kept_back.values():
            self._journal.append(entry)
        self._entries |= self._kept_back
        self._kept_back.clear()
        self._journal.flush()

    def keep(self, runs: Mapping[str, FoundRun]) -> None:
        """Keep the entries that the store agrees with: to one that was emptied or went back in time, all is sent again.

        Args:
            runs: that the store has, by the event file they were made from. What the user deleted is not sent again.
        """
        kept = {name: entry for name, entry in self._entries.items() if _is_there(entry, runs.get(name))}
        if len(kept) < len(self._entries):
            self._entries = kept
            self._compact()

    def pending(self) -> set[str]:
        """Return the event files that are longer than what is sent of them."""
        return _longer(self._folder, self._entries)

    def _compact(self) -> None:
        if not self._entries:
            self._path.unlink(missing_ok=True)
        else:
            with replacement(self._path) as temporary:
                compact = Journal(temporary)
                for entry in self._entries.values():
                    compact.append(entry)
                compact.write()
        self._journal = Journal(self._path)


def _is_there(entry: Mapping[str, Any], run: FoundRun | None) -> bool:
    """Return whether a run holds what is noted, its files included; what has no run needs none."""
    if run is None or run.id != entry["run"]:
        return entry["run"] is None
    return run.deleted or (run.tags.get(SENT) == str(entry["offset"]) and run.has_files)


def unsent(folder: Path, uri: str) -> set[str]:
    """Return the event files of a study that a store has not received in full; nothing is changed.

    A store whose file is gone has received nothing, whatever is noted.
    """
    file = sqlite_path(uri)
    is_gone = file is not None and not (file.exists() and file.stat().st_size)
    entries = [] if is_gone else filter(is_note, read_lines(sent_file(folder, uri))[0])
    return _longer(folder, {entry["name"]: entry for entry in entries})


def _longer(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the event files that are longer than what is noted of them."""
    files = [*trial_files(folder), *(folder / "events").glob(f"{STUDY}.jsonl")]
    return {path.stem for path in files if path.stat().st_size != entries.get(path.stem, {}).get("offset", 0)}


def _opened(path: Path) -> Journal:
    """Open what is noted; damaged notes are dropped, since the runs are found again and lines may be sent twice."""
    try:
        journal = Journal(path)
        if all(map(is_note, journal.events)):
            return journal
    except StorageError:
        if not path.is_file():
            raise
    path.unlink(missing_ok=True)
    return Journal(path)


def is_note(entry: Mapping[str, Any]) -> bool:
    """Return whether a line says how far an event file is sent."""
    named = type(entry.get("name")) is str and (entry.get("run") is None or type(entry["run"]) is str)
    return named and all(type(entry.get(key)) in (int, float) for key in ("offset", "epoch", "step"))


def sent_runs(folder: Path) -> dict[str, str]:
    """Return the MLflow run of each event file, in the store that was written last; empty when none is known."""
    files = sorted((folder / "tracking").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    try:
        events = Journal(files[-1]).events if files else []
        return {entry["name"]: entry["run"] for entry in events if is_note(entry)}
    except StorageError:
        return {}
