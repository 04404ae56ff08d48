"""What the data of a trial is like, before anything is trained."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hpsearch.base.errors import DataError
from hpsearch.base.types import DataFault
from hpsearch.config.build import build
from hpsearch.data.base import DataSource
from hpsearch.data.check import fault, look
from hpsearch.data.labels import completed
from hpsearch.trial.build import prepare, reported_metrics


def data_check(config: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Look at the data of a trial, the test part included.

    Args:
        config: a trial's resolved configuration.
        rows: most rows of each part that are looked at.

    Returns:
        The fields of `hpsearch.data.check.DataFacts` and ``metrics``, the names of all that a trial will report; or
        only ``fault`` and ``message`` where the data is refused for a mistake that `hpsearch.data.check.fault` knows.

    Raises:
        DataError: the data is refused for another reason.
    """
    data: DataSource = build("data", config["data"], tuple(config["plugins"]))
    test = data.has_test() or data.test_fraction is not None
    try:
        job = prepare({**config, "trainer": {**config["trainer"], "test": test}})
    except DataError as error:
        known = _fault(data)
        if known is None:
            raise
        return {"fault": known, "message": str(error)}
    found = asdict(look(job.splits, rows))
    return {**found, "weighted": found["weighted"] or bool(job.sampling), "metrics": reported_metrics(job)}


def _fault(data: DataSource) -> DataFault | None:
    try:
        return fault(completed(data.arrays(test=False)))
    except DataError:
        return None
