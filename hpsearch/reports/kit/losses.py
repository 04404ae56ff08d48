"""Whether the losses of a study, or of two, are one measure: what is not must not be compared."""

from typing import Any

from hpsearch.base.conditions import split_name
from hpsearch.base.loss_keys import measure_of, moving
from hpsearch.base.types import TrialTable

LOSSES = ("loss", "weighted_loss")
"""Names of metrics that are losses, without their part."""


def several_losses(table: TrialTable) -> bool:
    """Return whether trials of a study have different losses."""
    keys = {split_name(name)[0] for name in dict(table.study.get("space") or {})}
    return bool(moving(keys, _loss(table)))


def losses_note(table: TrialTable, noun: str) -> str:
    """Say that the losses of a study's points or arms are not one measure.

    Args:
        table: the study.
        noun: what has a loss of its own, ``point`` or ``arm``.

    Returns:
        The sentence; empty where they are one.
    """
    if not several_losses(table):
        return ""
    return (
        f"What is minimized is not the same for every {noun}: train/loss, valid/loss and test/loss are each {noun}'s "
        "own measure, of which only the course can be compared, not the height. Their gradients have different sizes, "
        "so a learning rate that suits one need not suit another."
    )


def loss_compared_by(table: TrialTable) -> dict[str, Any]:
    """Return what a study's objective measures where it is a loss; empty where it is another metric."""
    metric = str(dict(table.study.get("objective") or {}).get("metric", "")).rpartition("/")[2]
    return measure_of(_loss(table)) if metric in LOSSES else {}


def _loss(table: TrialTable) -> dict[str, Any]:
    return dict(dict(table.study.get("config") or {}).get("loss") or {})
