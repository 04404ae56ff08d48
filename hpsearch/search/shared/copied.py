"""A study's folder as the database holds it, and its copy here, in which the driver that leads works.

What it writes goes to both; the database is what counts. A driver that begins to lead brings its folder to what stands
there.
"""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hpsearch.base.copies import mark
from hpsearch.base.errors import StorageError
from hpsearch.base.files import replacement
from hpsearch.base.intake import yaml_text
from hpsearch.search.shared import trial_files
from hpsearch.search.shared.database import Cursor, Database
from hpsearch.search.shared.leading import Leading
from hpsearch.search.shared.trial_files import TRIALS
from hpsearch.search.storage import JOURNAL_NAME
from hpsearch.tracking.record import uid_on_record

DESCRIPTION, STUDY_EVENTS = "study.yaml", "events/study.jsonl"


class FolderCopy:
    """The folder of a study, whose files are in the database too.

    Args:
        leading: writes there.
        folder: of the study here; whoever calls holds its lock.
    """

    def __init__(self, leading: Leading, folder: Path) -> None:
        self._leading, self._study, self._folder = leading, leading.study, folder
        self._sizes: dict[str, int] = {}

    @property
    def is_kept(self) -> bool:
        """Whether the database holds anything of the study."""
        return bool(self._leading.run(partial(is_kept, study=self._study)))

    def pull(self) -> None:
        """Bring the folder to what the database holds; a study that is here alone goes there, another is refused."""
        held = self._leading.run(partial(lines_of, study=self._study))
        if held:
            refuse_another(self._folder, uid_in(held))
            write_lines(self._folder, held)
            fetch = partial(trial_files.fetch, study=self._study, under="", folder=self._folder)
            self._leading.run(fetch, snapshot=True)
            self._sizes = {file: len(content) for file, content in held.items()}
        elif (self._folder / TRIALS).is_dir():
            self._leading.run(partial(trial_files.store, study=self._study, under=TRIALS, folder=self._folder))
        mark(self._folder, self._leading.database.url)

    def push_all(self) -> None:
        """Bring what the folder holds to the database: the description, the record, Optuna's journal."""
        description = self._folder / DESCRIPTION
        if description.is_file():
            self._leading.run(partial(trial_files.put, study=self._study, file=DESCRIPTION, content=description))
        self._leading.later("update hpsearch.studies set begun = term where name = %s", self._leading.team)
        self.push([*(f"events/{path.name}" for path in (self._folder / "events").glob("*.jsonl")), JOURNAL_NAME])

    def push(self, files: Iterable[str]) -> None:
        """Bring what was appended to files to the database; one that has become shorter is kept anew.

        Args:
            files: paths in the study's folder.
        """
        for file in files:
            path, known = self._folder / file, self._sizes.get(file, 0)
            size = path.stat().st_size if path.is_file() else 0
            if size < known:
                self._leading.later("delete from hpsearch.lines where study = %s and file = %s", self._study, file)
                known = 0
            if size > known:
                with path.open("rb") as opened:
                    opened.seek(known)
                    content = opened.read(size - known)
                self._leading.later(
                    "insert into hpsearch.lines values (%s, %s, %s, %s) on conflict do nothing",
                    *(self._study, file, known, content),
                )
            self._sizes[file] = size
        self._leading.commit()

    def clear(self) -> None:
        """Forget the study in the database: it starts again."""
        self._sizes.clear()
        for table in ("lines", "files", "claims"):
            self._leading.later(f"delete from hpsearch.{table} where study = %s", self._study)
        self._leading.commit()
        mark(self._folder, self._leading.database.url)

    def fetch_trial(self, stem: str) -> None:
        """Bring the files of a trial here."""
        self._leading.run(partial(trial_files.fetch, study=self._study, under=f"{TRIALS}/{stem}", folder=self._folder))


def refuse_another(folder: Path, uid: str | None) -> None:
    """Refuse to take a study for the one of its name in the database.

    Args:
        folder: of the study here.
        uid: of the other one; None: it has none.

    Raises:
        StorageError: they are not the same.
    """
    here = uid_on_record(folder)
    if here is not None and here != uid:
        raise StorageError(
            f"{folder} is another study than the one of this name in the database: move the folder away, or choose "
            "another study.name"
        )


def kept_studies(cursor: Cursor, study: str) -> list[str]:
    """Return the name of a study, and those of its stages, as far as there is a record of them."""
    cursor.execute(
        "select name from hpsearch.studies s where (name = %s or (starts_with(name, %s) and stage <> '')) "
        "and exists (select from hpsearch.lines where study = s.name) order by name",
        (study, f"{study}."),
    )
    return [name for (name,) in cursor.fetchall()]


def uid_of(cursor: Cursor, study: str) -> str | None:
    """Return what tells a study that the database holds from others; None where nothing is recorded yet."""
    cursor.execute(
        "select content from hpsearch.lines where study = %s and file = %s and start = 0", (study, STUDY_EVENTS)
    )
    (content,) = cursor.fetchone() or (b"",)
    return uid_in({STUDY_EVENTS: content})


def is_kept(cursor: Cursor, study: str) -> bool:
    """Return whether there is a record of a study."""
    cursor.execute("select exists (select from hpsearch.lines where study = %s)", (study,))
    return bool(cursor.fetchone() == (True,))


def lines_of(cursor: Cursor, study: str) -> dict[str, bytes]:
    """Return the files of a study that grow, by path."""
    cursor.execute("select file, content from hpsearch.lines where study = %s order by file, start", (study,))
    held: dict[str, list[bytes]] = {}
    for file, content in cursor.fetchall():
        held.setdefault(file, []).append(content)
    return {file: b"".join(parts) for file, parts in held.items()}


def described(database: Database, study: str) -> dict[str, Any]:
    """Return what a study is, as its description in the database says; empty where there is none yet."""
    found = database.run(partial(trial_files.content_of, study=study, file=DESCRIPTION))
    return dict(yaml_text(found)) if found else {}


def bring(database: Database, study: str, folder: Path, leader: str = "") -> None:
    """Bring a folder to what the database holds of a study.

    Args:
        database: which holds it.
        study: its name.
        folder: whose lock is held.
        leader: who leads it; empty where nobody does.
    """
    held = database.run(partial(lines_of, study=study))
    refuse_another(folder, uid_in(held))
    write_lines(folder, held)
    database.run(partial(trial_files.fetch, study=study, under="", folder=folder), snapshot=True)
    mark(folder, database.url, leader)


def write_lines(folder: Path, held: Mapping[str, bytes]) -> None:
    """Bring the files that grow to what the database holds; events that it does not know are gone.

    Args:
        folder: of the study.
        held: the files by path.

    Raises:
        StorageError: they cannot be written.
    """
    try:
        for file, content in held.items():
            path = folder / file
            if not path.is_file() or path.read_bytes() != content:
                with replacement(path) as temporary:
                    temporary.write_bytes(content)
        for path in (folder / "events").glob("*.jsonl"):
            if f"events/{path.name}" not in held:
                path.unlink()
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror or error}") from None


def uid_in(held: Mapping[str, bytes]) -> str | None:
    """Return what tells the study that the database holds from others."""
    first = held.get(STUDY_EVENTS, b"").partition(b"\n")[0]
    return str(json.loads(first)["uid"]) if first else None
