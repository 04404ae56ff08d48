"""Trials that begin anew, because what they were trained by or on has changed."""

import shutil
from collections.abc import Sequence

import optuna

from hpsearch.base.clock import time_of_day
from hpsearch.base.types import TrialId
from hpsearch.search.extension import copied
from hpsearch.search.space import Space
from hpsearch.search.storage import OpenStore
from hpsearch.study.changes import Changes
from hpsearch.tracking.record import Record


def begin_anew(
    study: optuna.Study, store: OpenStore, space: Space, changes: Sequence[Changes], record: Record
) -> optuna.Study:
    """Let trials begin anew whose code or data have changed: those that failed, and those that had not ended.

    Args:
        study: as it was left.
        store: that it is kept in.
        space: the present ranges.
        changes: what changed.
        record: of the study; these trials are waiting in it, and the checkpoints that they left are removed.

    Returns:
        An Optuna study in which nothing was told of their points.
    """
    fresh: dict[TrialId, dict[str, str]] = {}
    for each in changes:
        for trial, digest in each.unfinished:
            fresh.setdefault(trial.id, {})[each.subject] = digest
    new = copied(study, record.folder.name, space, untold={trial.point for trial in fresh}, anew=True)
    store.flush()
    for begun, digests in fresh.items():
        record.again(begun, time_of_day(), **digests)
        shutil.rmtree(record.folder / "trials" / begun.stem, ignore_errors=True)
    record.flush(fsync=True)
    return new
