"""Everything of ours that rests on what MLflow does not promise: any minor release may break it.

Written for `WRITTEN_FOR`; the tests of this module fail when the library changes. There are four such things: views of
a study in the UI, where its trials can be compared (MLflow's own landing page shows one folded row), the names of the
pictures that the UI shows by step (those of `log_image` differ at every call), the revision of its database schema, and
the engine that it keeps for each database.

The UI reads a view from the experiment tag ``mlflow.sharedViewState.KEY`` and opens it with ``viewStateShareKey=KEY``.
"""

import importlib.util
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hpsearch.base.borrowed import still_quiet
from hpsearch.base.media import IMAGE, Medium
from hpsearch.base.types import Objective
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.names import metric_name, param_name
from hpsearch.tracking.runs import ms
from hpsearch.tracking.writer import Writer

WRITTEN_FOR = "3.17"
"""The minor version of MLflow."""
TABLE = "trials"
CURVES = "curves"
TAG = "mlflow.sharedViewState."
KIND = "mlflow.experimentKind"
LOGGED_IMAGES = "mlflow.loggedImages"
SMALL = 256
"""Longer side of the picture that the UI shows beside a whole one, in pixels."""


def view_tags(
    parent: str | None, searched: Iterable[str], objective: Objective, grouped: Iterable[str] = ()
) -> dict[str, str]:
    """Return the views of a study, a table and curves, as tags of its experiment.

    Args:
        parent: id of its parent run; None for trials without one.
        searched: the searched hyperparameters, the main one first.
        objective: what the trials are sorted by.
        grouped: hyperparameters by whose values trials are put together, such as the factors of an ablation: a row and
            a curve then stand for the mean of a group, which opens to its trials.
    """
    keys = [param_name(key) for key in searched]
    state = _state(parent, keys, objective) | {"groupBy": _groups([param_name(key) for key in grouped])}
    return {
        KIND: "custom_model_development",
        TAG + TABLE: json.dumps(state),
        TAG + CURVES: json.dumps({**state, **_charts(keys, objective)}),
    }


def view_path(experiment: str, curves: bool = False) -> str:
    """Return the path of a view behind the address of an MLflow server."""
    query = f"viewStateShareKey={CURVES}&compareRunsMode=CHART" if curves else f"viewStateShareKey={TABLE}"
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning&{query}"


def _state(parent: str | None, keys: Sequence[str], objective: Objective) -> dict[str, Any]:
    metric = f"metrics.`{metric_name(objective.metric)}`"
    params = [f"params.`{key}`" for key in keys]
    shown = [metric, *params, "tags.`state`"]
    return {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{parent}'" if parent else "",
        "orderByKey": metric,
        "orderByAsc": not objective.maximize,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*shown, "attributes.`Duration`"],
        "columnOrder": ["attributes.`Run Name`", *shown, "duration", "runDateAndNestInfo"],
        "columnWidths": {"attributes.`Run Name`": 220, metric: 180, **dict.fromkeys(params, 130)},
        "runsExpanded": {parent: True} if parent else {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "runListHidden": False,
        "viewMaximized": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
    }


def _groups(keys: Sequence[str]) -> dict[str, Any] | None:
    each = [{"mode": "param", "groupByData": key} for key in keys]
    return {"aggregateFunction": "average", "groupByKeys": each} if each else None


def _charts(keys: Sequence[str], objective: Objective) -> dict[str, Any]:
    metric = metric_name(objective.metric)
    charts = [_line(metric, "linear"), _line("train/loss", "log"), _parallel(keys, metric)]
    return {
        "compareRunCharts": charts,
        "compareRunSections": [
            {
                "uuid": "study",
                "name": "Study",
                "display": True,
                "columns": 2,
                "isReordered": False,
                "deleted": False,
                "isGenerated": False,
            }
        ],
    }


def _card(kind: str, uuid: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": uuid,
        "metricSectionId": "study",
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 100,
        **fields,
    }


def _line(metric: str, scale: str) -> dict[str, Any]:
    return _card(
        "LINE",
        f"line-{metric}",
        metricKey=metric,
        selectedMetricKeys=[metric],
        displayName=metric,
        lineSmoothness=0,
        scaleType=scale,
        xAxisScaleType="linear",
        xAxisKey="step",
        yAxisKey="metric",
        yAxisExpressions=[],
        selectedXAxisMetricKey="",
        range={},
        ignoreOutliers=False,
        useGlobalXaxisKey=False,
        useGlobalLineSmoothing=True,
    )


def _parallel(keys: Sequence[str], metric: str) -> dict[str, Any]:
    return _card(
        "PARALLEL",
        "parallel",
        displayName="Parallel coordinates",
        selectedParams=list(keys),
        selectedMetrics=[metric],
        showAllRuns=True,
    )


def media_path(record: TrialRecord, medium: Medium) -> str:
    """Return where a run keeps what a trial logged; a picture is where the UI looks for that of a step.

    Args:
        record: of the trial.
        medium: what it logged.
    """
    if medium.kind != IMAGE:
        return medium.path
    time = next((report.time for report in record.reports if report.epoch == medium.epoch), record.started or 0.0)
    unique = uuid.uuid5(uuid.NAMESPACE_URL, medium.path)  # the same at every call, so that nothing is there twice
    return f"images/{medium.name}+step+{medium.epoch}+timestamp+{ms(time)}+{unique}.png"


def log_picture(writer: Writer, run: str, file: Path, path: str) -> None:
    """Log a picture, and the small one that the UI shows beside it.

    Args:
        writer: to the store.
        run: id of the run.
        file: the picture; one that is none, or not there, is left out.
        path: where the run keeps it, see `media_path`.
    """
    from PIL import Image

    small = BytesIO()
    try:
        whole = file.read_bytes()
        with Image.open(BytesIO(whole)) as picture:
            picture.resize(_small_size(*picture.size)).save(small, "webp")
    except OSError:
        return
    writer.content(run, whole, path)
    writer.content(run, small.getvalue(), f"{path.removesuffix('.png')}+compressed.webp")
    writer.log(run, tags={LOGGED_IMAGES: "True"})


def _small_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of a picture whose longer side is that of MLflow's small ones."""
    if width > height:
        return SMALL, max(1, int(height * (SMALL / width)))
    return max(1, int(width * (SMALL / height))), SMALL


def schema_head() -> str:
    """Return the schema revision of the installed MLflow, without importing it (that takes a second)."""
    texts = [path.read_text(encoding="utf-8") for path in (_folder() / "store/db_migrations/versions").glob("*.py")]
    revisions = {found[1] for text in texts if (found := re.search(r'^revision = "(\w+)"', text, re.MULTILINE))}
    older = {found[1] for text in texts if (found := re.search(r'^down_revision = "(\w+)"', text, re.MULTILINE))}
    return next(iter(revisions - older), "")


def installed_version() -> str:
    """Return the version of the installed MLflow, without importing it; empty where it is not found."""
    file = _folder() / "version.py"
    found = re.search(r'^VERSION = "([^"]+)"', file.read_text(encoding="utf-8"), re.M) if file.is_file() else None
    return found[1] if found else ""


def _folder() -> Path:
    spec = importlib.util.find_spec("mlflow")
    return Path(next(iter(spec.submodule_search_locations or []))) if spec else Path()


def sqlite_uri(path: Path) -> str:
    """Return the address of an SQLite file, whatever characters its path holds."""
    return f"sqlite:///{quote(str(path), safe='/ ', errors='surrogateescape')}"


SPEAK = dict.fromkeys(("mlflow", "alembic", "urllib3.connectionpool"), logging.CRITICAL)
"""Loggers of MLflow and of what it builds on, which would write into the terminal; see `base.borrowed.quiet`."""
UNVERIFIED = "Unverified HTTPS request"
"""The warning of every request, where MLFLOW_TRACKING_INSECURE_TLS asks for it."""


def build_schema(uri: str, artifacts: str) -> None:
    """Create an empty SQLite store, and let go of the file: MLflow keeps an engine per address for good.

    Args:
        uri: of a file that does not exist yet.
        artifacts: address of the folder of its first experiment's artifacts.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    still_quiet(SPEAK)
    make_store: Callable[[str, str], Any] = SqlAlchemyStore
    make_store(uri, artifacts).engine.dispose()
    SqlAlchemyStore._engine_map.pop(uri, None)
