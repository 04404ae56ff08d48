"""The file of a trial that says what its layers did, read without trust: `hpsearch.trial.layers` writes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.intake import json_file

LayerRow = Mapping[str, Any]


def read_layer_rows(file: Path) -> Sequence[LayerRow]:
    """Return the rows of a file; none where it is not there, or says anything else."""
    try:
        return sound_rows(json_file(file))
    except (OSError, ValueError):
        return ()


def sound_rows(found: Any) -> Sequence[LayerRow]:
    """Return what was read where it is rows: numbers, or null, of layers by name; else none."""
    return found if isinstance(found, list) and all(map(_is_row, found)) else ()


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or type(row.get("epoch")) not in (int, float):
        return False
    tables = [row.get(part) or {} for part in ("gradient", "update", "weight", "outputs")]
    if not all(isinstance(table, dict) for table in tables):
        return False
    *of_weights, outputs = tables
    inner = [*of_weights, *outputs.values()]
    known = all(table.keys() <= of_weights[2].keys() for table in of_weights)
    return known and all(isinstance(table, dict) and all(map(_is_number, table.values())) for table in inner)


def _is_number(value: Any) -> bool:
    return value is None or type(value) in (int, float)
