"""What is found out about a trial after it ended, put into its MLflow run."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpsearch.base.errors import StorageError
from hpsearch.tracking import store
from hpsearch.tracking.runs import ms
from hpsearch.tracking.sent import Sent, sent_file

AFTERWARDS = "curvature/"
"""Begins the names of metrics that no report holds; a trial is read from its run without them."""


def run_of(folder: Path, stem: str, uri: str | None) -> str | None:
    """Return the MLflow run of a trial.

    Args:
        folder: the study's folder.
        stem: of the trial's files.
        uri: tracking store; None for the default one.

    Returns:
        Its id, None where the trial was not sent to this store.
    """
    address = store.store_uri(uri)
    return Sent(folder, address).run(stem) if sent_file(folder, address).is_file() else None


def add(uri: str | None, run: str, values: Mapping[str, float], tags: Mapping[str, str], files: Sequence[Path]) -> None:
    """Add metrics, tags and artifacts to a run; adding them again replaces them.

    Args:
        uri: tracking store; None for the default one.
        run: its id.
        values: metrics, `AFTERWARDS` goes in front of their names; those that are not finite are left out.
        tags: labels.
        files: artifacts.

    Raises:
        StorageError: the store cannot be used or does not take them.
    """
    address = store.store_uri(uri)
    try:
        client, now = store.connect(address, store.artifact_root(None)), ms(time.time())
        for name, value in values.items():
            if math.isfinite(value):
                client.log_metric(run, f"{AFTERWARDS}{name}", value, now, 0)
        for name, text in tags.items():
            client.set_tag(run, name, text)
        for file in files:
            client.log_artifact(run, str(file))
    except StorageError:
        raise
    except Exception as error:  # MLflow raises whatever its HTTP and SQL layers raise
        raise StorageError(f"MLflow at {store.shown(address)}: {store.one_line(error)}") from error
