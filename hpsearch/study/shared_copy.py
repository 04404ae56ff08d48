"""The folder of a study that several drivers share, brought to a machine that takes no part in it."""

from contextlib import closing

from hpsearch.base.errors import StorageError
from hpsearch.config.build import build
from hpsearch.config.compose import Composition
from hpsearch.search.shared.copied import bring, kept_studies
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.leading import standing
from hpsearch.search.shared.store import PostgresStore, database_of
from hpsearch.study.folder import folder_lock, folder_of


def bring_copy(name: str, composition: Composition) -> str:
    """Bring a study, and those of its stages, to what the database holds that keeps it.

    Args:
        name: of the study.
        composition: names the database; else the folder that is there does.

    Returns:
        The address of the database; empty where the study is in none.

    Raises:
        StorageError: the database does not have it, or it is another study than the one here.
    """
    database = _named(composition) or database_of(folder_of(name))
    if database is None:
        return ""
    with closing(database):
        database.open()
        studies = database.run(lambda cursor: kept_studies(cursor, name))
        if name not in studies:
            raise StorageError(f"no study '{name}' in {database.url}")
        leader = database.run(lambda cursor: standing(cursor, name)).holder
        for study in studies:
            with folder_lock(folder_of(study)):
                bring(database, study, folder_of(study), leader)
    return database.url


def _named(composition: Composition) -> Database | None:
    store = build("storage", composition.config["storage"], composition.config["plugins"])
    return Database(store.database()) if isinstance(store, PostgresStore) else None
