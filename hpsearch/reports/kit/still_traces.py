"""Traces of a plotly figure, drawn by matplotlib: scatter, horizontal bars, heat maps."""

import html
import math
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from numpy.typing import NDArray

import hpsearch.reports.kit.theme as theme
from hpsearch.base.printed import visible

Array: TypeAlias = NDArray[np.float64]
Part: TypeAlias = Mapping[str, Any]
Style: TypeAlias = dict[str, Any]
POINTS_PER_PIXEL = 0.75
SMALL = 8  # points of a text beside a mark
_MARK = 0.78  # points across a mark for each pixel of its size
_CAP = 3  # points of the ends of an error bar
_ERROR_WIDTH = 1.4  # points of its line
DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
_STEPS = {"hv": "post", "vh": "pre"}
_SYMBOLS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "x": "X",
    "cross": "P",
    "triangle-down": "v",
    "triangle-up": "^",
    "triangle-right": ">",
    "line-ns": "|",
    "line-ew": "_",
    "x-thin": "x",
    "star": "*",
}
_THIN = ("line", "x-thin")  # symbols that are lines alone


@dataclass(slots=True)
class Pane:
    """One pair of axes, and the names that stand for 0, 1, 2, ... along them."""

    ax: Axes
    names: dict[str, dict[str, int]] = field(default_factory=lambda: {"x": {}, "y": {}})

    def places(self, axis: str, values: Any, size: int = 0) -> Array:
        """Return coordinates as numbers with NaN for gaps; without values 0, 1, 2, ..."""
        known = self.names[axis]
        if values is None:
            return np.arange(size, dtype=float)
        if isinstance(values, Mapping):  # numbers as plotly packs them
            return np.frombuffer(b64decode(values["bdata"]), dtype=values["dtype"]).astype(float)
        read = (known.setdefault(plain(v), len(known)) if isinstance(v, str) else v for v in values)
        return np.array([math.nan if value is None else value for value in read], dtype=float)

    def name(self) -> None:
        """Write the names beside the axes."""
        for axis, known in self.names.items():
            if known:
                getattr(self.ax, f"set_{axis}ticks")(range(len(known)), list(known))


def draw_trace(pane: Pane, trace: Part, lane: tuple[int, int]) -> None:
    """Draw one trace.

    Args:
        pane: the axes that it belongs to.
        trace: as plotly has it.
        lane: which of the bars that stand beside each other it is, and of how many.
    """
    kind = trace.get("type", "scatter")
    if kind == "bar":
        _bar(pane, trace, lane)
    else:
        (_heat if kind in ("heatmap", "contour") else _scatter)(pane, trace)


def _heat(pane: Pane, trace: Part) -> None:
    z = np.array([[math.nan if v is None else v for v in row] for row in trace["z"]], dtype=float)
    x, y = (pane.places(axis, trace.get(axis), z.shape[1 - row]) for row, axis in enumerate("xy"))
    low, high = (trace.get(key) for key in ("zmin", "zmax"))
    shared: Style = {"cmap": scale_of(trace), "vmin": low, "vmax": high, "zorder": 1}  # above the grid
    if trace["type"] == "contour":
        pane.ax.contourf(x, y, z, levels=trace.get("ncontours", 14), **shared)
        return
    single = 1 in z.shape  # of which matplotlib cannot tell how wide a cell is
    pane.ax.pcolormesh(*((_edges(x), _edges(y)) if single else (x, y)), z, shading="auto", **shared)
    for row, texts in zip(y, () if trace.get("text") is None else trace["text"], strict=False):
        for column, text in zip(x, texts, strict=False):
            pane.ax.text(column, row, plain(text), ha="center", va="center", fontsize=SMALL)


def _edges(places: Array) -> Array:
    """Return the edges of cells around places: half-way between two, half of one away from a single one."""
    steps = np.diff(places) / 2 if len(places) > 1 else np.array([0.5])
    return np.concatenate([places[:1] - steps[0], places[:-1] + steps[: len(places) - 1], places[-1:] + steps[-1]])


def _bar(pane: Pane, trace: Part, lane: tuple[int, int]) -> None:
    error, (place, of) = trace.get("error_x") or {}, lane
    width = (trace.get("width") or 0.8) / of
    y = pane.places("y", trace["y"]) + (place - (of - 1) / 2) * width
    x = pane.places("x", trace["x"])
    colour = colour_of((trace.get("marker") or {}).get("color") or theme.BLUE)
    rest: Style = {
        "left": trace.get("base"),
        "color": colour,
        "alpha": trace.get("opacity", 1),
        "label": trace_label(trace),
    }
    pane.ax.barh(y, x, width, **rest)
    ends = x if trace.get("base") is None else x + np.array(trace["base"])
    _error(pane.ax, ends, y, "x", error, theme.INK, 4)


def _scatter(pane: Pane, trace: Part) -> None:
    y = pane.places("y", trace.get("y"))
    x = pane.places("x", trace.get("x"), len(y))
    mode, line, marker = trace.get("mode", "lines"), trace.get("line") or {}, trace.get("marker") or {}
    colour = colour_of(line.get("color") or _single(marker.get("color")) or theme.BLUE)
    look = {"alpha": trace.get("opacity", 1.0), "label": trace_label(trace), "zorder": trace.get("zorder", 1) + 2}
    if trace.get("fill") == "tonexty" and pane.ax.lines:
        step: Any = _STEPS.get(line.get("shape", ""))
        wash = colour_of(trace.get("fillcolor") or theme.BLUE_WASH)
        pane.ax.fill_between(x, pane.ax.lines[-1].get_ydata(), y, step=step, color=wash, lw=0, label=look.pop("label"))
    for axis in ("x", "y"):
        _error(pane.ax, x, y, axis, trace.get(f"error_{axis}") or {}, colour, look["zorder"])
    if "lines" in mode:
        pane.ax.plot(
            x,
            y,
            color=colour,
            **line_style(line),
            **(_dots(marker, colour, len(x)) if "markers" in mode else {}),
            **look,
        )
    elif "markers" in mode:
        _marks(pane.ax, x, y, marker, look)
    if "text" in mode:
        above: Style = {"textcoords": "offset points", "ha": "center", "fontsize": SMALL}
        for place, text in enumerate(trace["text"]):
            pane.ax.annotate(plain(text), (x[place], y[place]), (0, 7), **above)


def line_style(line: Part) -> Style:
    """Return dash, width and steps of a line as matplotlib takes them."""
    step = _STEPS.get(line.get("shape", ""))
    dash, width = DASHES.get(line.get("dash", "solid"), "--"), POINTS_PER_PIXEL * line.get("width", 2)
    return {"ls": dash, "lw": width, "drawstyle": f"steps-{step}" if step else "default"}


def _dots(marker: Part, colour: Any, values: int) -> Style:
    """Return the marks along a line of so many values, at most as many as they may be."""
    most = marker.get("maxdisplayed") or max(values, 1)
    hollow = str(_single(marker.get("symbol"))).endswith("-open")
    return {
        "marker": _symbol(marker),
        "ms": POINTS_PER_PIXEL * float(_single(marker.get("size")) or 6),
        "markevery": max(1, math.ceil(values / most)),
        "mfc": "none" if hollow else colour_of(_single(marker.get("color")) or colour),
    }


def _symbol(marker: Part) -> str:
    return _SYMBOLS.get(str(_single(marker.get("symbol")) or "circle").removesuffix("-open"), "o")


def _error(ax: Axes, x: Array, y: Array, axis: str, error: Part, colour: Any, order: float) -> None:
    if error.get("array") is None or error.get("visible") is False or not any(error["array"]):
        return
    above = list(error["array"])
    spread = [list(error["arrayminus"]) if error.get("arrayminus") is not None else above, above]
    shared: Style = {
        "ecolor": colour,
        "elinewidth": _ERROR_WIDTH,
        "capsize": _CAP,
        "zorder": order,
        f"{axis}err": spread,
    }
    ax.errorbar(x, y, fmt="none", **shared)


def _marks(ax: Axes, x: Array, y: Array, marker: Part, look: Style) -> None:
    name, sizes = str(_single(marker.get("symbol")) or "circle"), marker.get("size")
    colour = _colours(marker, marker.get("color"), len(x))
    thin = name.startswith(_THIN)
    style: Style = {"color": colour, "linewidths": 1.8 if thin else 0}
    ring = marker.get("line") or {}
    edge = {"edgecolors": colour_of(ring.get("color")), "linewidths": POINTS_PER_PIXEL * ring.get("width", 1)}
    if isinstance(colour, tuple) and colour[3] == 0:
        style = {"facecolors": "none", **edge}
    elif name.endswith("-open") and not thin:
        style = {"facecolors": "none", "edgecolors": colour}
    elif ring.get("color") and not thin:
        style = {"facecolors": colour, **edge}
    area = np.square(_MARK * np.array(sizes if _listed(sizes) else [sizes or 6], dtype=float))
    opacity = look["alpha"] * float(_single(marker.get("opacity")) or 1)
    ax.scatter(x, y, area, marker=_symbol(marker), **{**look, "alpha": opacity}, **style)


def trace_label(trace: Part) -> str:
    """Return what a legend calls a trace; empty when it has no place there."""
    shown = trace.get("showlegend", True) and trace.get("name")
    return plain(str(trace["name"])) if shown else ""


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def _single(value: Any) -> Any:
    return next(iter(value), None) if _listed(value) else value


def _colours(marker: Part, given: Any, n: int) -> Any:
    """Return one colour, or one for each mark: by name, or on the marker's scale."""
    if not _listed(given):
        return colour_of(given or theme.BLUE)
    if all(isinstance(value, str) for value in given):
        return [colour_of(value) for value in given] or colour_of(theme.BLUE)
    numbers = np.array([math.nan if value is None else value for value in given], dtype=float)[:n]
    low, high = marker.get("cmin", np.nanmin(numbers, initial=0)), marker.get("cmax", np.nanmax(numbers, initial=1))
    return scale_of(marker)(Normalize(low, high)(numbers))


def scale_of(part: Part) -> LinearSegmentedColormap:
    """Return the colour scale of a trace or of its marks."""
    scale = part.get("colorscale") or theme.score_scale()
    return LinearSegmentedColormap.from_list("scale", [(place, colour_of(colour)) for place, colour in scale])


def colour_of(text: Any) -> Any:
    """Return a colour as matplotlib takes it: plotly writes ``rgba(11, 92, 173, 0.16)``."""
    channels = re.fullmatch(r"rgba?\(([^)]*)\)", str(text))
    if not channels:
        return text
    red, green, blue, *alpha = (float(value) for value in channels[1].split(","))
    return (red / 255, green / 255, blue / 255, *(alpha or [1.0]))


def plain(text: Any) -> str:
    """Return the words of a text that plotly would read as markup."""
    return visible(html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<br\s*/?>", "\n", str(text)))))
