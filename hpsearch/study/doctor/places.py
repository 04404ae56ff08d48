"""Where a command writes, beside the folders of studies."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from hpsearch.base.cache import cache_folder
from hpsearch.base.commands import command
from hpsearch.base.errors import StorageError
from hpsearch.tracking import store


def store_of(tracker: Mapping[str, Any]) -> str | None:
    """Return the absolute address of a tracking store; None where there is none, or it is no store."""
    try:
        return store.store_uri(tracker["uri"]) if "uri" in tracker else None
    except StorageError:  # said where the store is looked at
        return None


def store_file(tracker: Mapping[str, Any]) -> Path | None:
    """Return the file of a tracking store, None for one of another kind."""
    uri = store_of(tracker)
    return store.sqlite_path(uri) if uri else None


def written(tracker: Mapping[str, Any]) -> dict[str, Path]:
    """Return what is written in which folder."""
    file = store_file(tracker)
    places = {"studies": Path.cwd() / "studies", "temporary files": Path(gettempdir())}
    return places if file is None else {**places, "store": file.parent}


def swept(tracker: Mapping[str, Any]) -> list[Path]:
    """Return the folders in which killed processes leave something."""
    uri, cache = store_of(tracker), cache_folder()
    artifacts = [*store.artifact_root(tracker.get("artifacts"), uri).glob("*/")] if uri else []
    kept = [cache / "hpsearch", *(cache / "hpsearch").glob("*/")] if cache else []
    return list(dict.fromkeys([*written(tracker).values(), *artifacts, *kept]))


def locks(tracker: Mapping[str, Any]) -> list[Path]:
    """Return the locks that a killed process left: stores are made under them, and those that are made need none."""
    file, cache = store_file(tracker), cache_folder()
    kept = [*(cache / "hpsearch").glob("mlflow-*.lock")] if cache else []
    own = [Path(f"{file}.lock")] if file and file.exists() else []
    return [lock for lock in [*kept, *own] if lock.is_file()]


def mending(study: str = "") -> str:
    """Return the command that mends a study, or all that this folder holds."""
    return command("doctor", "--repair", *([study] if study else []))
