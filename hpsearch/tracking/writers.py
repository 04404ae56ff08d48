"""Which way a tracking store is written."""

from pathlib import Path

from hpsearch.tracking import embedded_writer, store
from hpsearch.tracking.client_writer import ClientWriter
from hpsearch.tracking.embedded_writer import EmbeddedWriter
from hpsearch.tracking.writer import Writer


def open_writer(uri: str, artifacts: Path) -> Writer:
    """Open a store; one that is embedded is created when it is not there yet.

    Args:
        uri: absolute address of the store.
        artifacts: folder of the artifacts of an embedded store.

    Returns:
        What writes rows where these are known, else what asks MLflow's client.
    """
    path = store.sqlite_path(uri)
    if path is None:
        return ClientWriter(uri, artifacts)
    store.create_store(uri, artifacts)
    return EmbeddedWriter(path, artifacts) if embedded_writer.writes_to(path) else ClientWriter(uri, artifacts)
