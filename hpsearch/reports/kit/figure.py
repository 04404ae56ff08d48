"""A figure in parts, as plotly.js reads them: plotly checks and copies them only for those who ask for its own.

Built and taken apart again by plotly, the figures of a small report took as long as all else together.
"""

import base64
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PACKED = {"float32": "f4", "float64": "f8", "int32": "i4"}


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        parts: its ``data``, a list of traces, and its ``layout``; long rows of numbers may be arrays of numpy.
    """

    parts: Mapping[str, Any]

    @cached_property
    def plotly(self) -> "go.Figure":
        """Plotly's own figure of the same parts; it refuses what plotly does not know."""
        from plotly.graph_objects import Figure as Own

        return Own(deepcopy(dict(self.parts)))  # plotly changes the traces that it is given

    @property
    def data(self) -> tuple[Any, ...]:
        """The traces as plotly has them."""
        traces: tuple[Any, ...] = self.plotly.data
        return traces

    @property
    def layout(self) -> Any:
        """The layout as plotly has it."""
        return self.plotly.layout

    def to_json(self) -> str:
        """Return JSON as plotly's figures write theirs: arrays in base64, null for what is no number."""
        text = json.dumps(self.parts, default=_plain, separators=(",", ":"))
        if "NaN" in text or "Infinity" in text:
            text = json.dumps(json.loads(text, parse_constant=lambda _: None), separators=(",", ":"))
        return text


def _plain(value: Any) -> Any:
    """Return what JSON has no form for as plotly.js reads it."""
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a figure holds {value!r}, which JSON has no form for")
    if value.dtype.name not in _PACKED:
        return value.tolist()
    packed: dict[str, str] = {"dtype": _PACKED[value.dtype.name], "bdata": base64.b64encode(value.tobytes()).decode()}
    return packed | ({"shape": str(value.shape)[1:-1]} if value.ndim > 1 else {})
