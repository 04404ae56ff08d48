"""Artifacts of an SQLite store that was moved or copied: MLflow keeps their absolute addresses."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PLACE = "hpsearch.store"
"""Tag of the store's first experiment: the path of the file when it was last looked at."""
_TAG = """
INSERT INTO experiment_tags (experiment_id, key, value) SELECT 0, ?, ? WHERE EXISTS
    (SELECT 1 FROM experiments WHERE experiment_id = 0)
ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value
"""
_RUNS = """
UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?
"""
_FIRST = "/mlartifacts/Default/0"
"""Where the first experiment of a store of ours keeps its artifacts, below the folder that the store was made in."""


def folder_of(uri: str) -> Path:
    """Return the folder of a file's address."""
    return Path(url2pathname(urlsplit(uri).path))


def follow(path: Path) -> None:
    """Let the experiments of a store name the folders that lie beside it now, if it was moved since.

    Artifacts that lie elsewhere stay, and so do those that are where they were and not beside the store: of a copy that
    was made without them.

    Args:
        path: of the store, which exists. One that was moved and cannot be written raises what SQLite raises.
    """
    with closing(sqlite3.connect(path)) as db:
        known = _known(db)
        if known == str(path):
            return
        if known is None or _is_same(known, path):
            with suppress(sqlite3.OperationalError), db:  # it may be read only, or locked: there is no hurry
                db.execute(_TAG, (PLACE, str(path)))
            return
        with db:
            _change(db, Path(known).parent, path.parent)
            db.execute(_TAG, (PLACE, str(path)))


def _known(db: sqlite3.Connection) -> str | None:
    """Return where the store was: as it says itself, or as the artifacts of its first experiment do."""
    said = db.execute("SELECT value FROM experiment_tags WHERE experiment_id = 0 AND key = ?", (PLACE,)).fetchone()
    if said is not None:
        return str(said[0])
    first = db.execute("SELECT artifact_location FROM experiments WHERE experiment_id = 0").fetchone()
    if first is None or not str(first[0]).startswith("file:///") or not str(first[0]).endswith(_FIRST):
        return None
    return str(folder_of(str(first[0]).removesuffix(_FIRST)) / "mlflow.db")


def _is_same(known: str, path: Path) -> bool:
    try:
        return Path(known).samefile(path)
    except OSError:
        return False


def _change(db: sqlite3.Connection, old: Path, new: Path) -> None:
    before, after = f"{old.as_uri()}/", f"{new.as_uri()}/"
    for key, location in db.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall():
        if not str(location).startswith(before):
            continue
        moved = after + str(location).removeprefix(before)
        if folder_of(moved).exists() or not folder_of(location).exists():
            db.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (moved, key))
            db.execute(_RUNS, (after, len(before) + 1, key, len(before), before))
