"""A plotly figure without JavaScript: the same traces drawn by matplotlib as SVG, for READMEs and notebooks.

It knows what our figures use: scatter, horizontal bars, heat maps, shapes, annotations, several axes by domain. A menu
shows its first entry; hover texts are left out.
"""

import html
import math
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

import hpsearch.reports.kit.theme as theme
from hpsearch.base.words import number
from hpsearch.reports.kit.curves import Array
from hpsearch.reports.kit.svg import svg_text

Part: TypeAlias = Mapping[str, Any]
Style: TypeAlias = dict[str, Any]
_PIXELS = 100  # per inch
_LETTER = 7.6  # pixels of a letter of a tick label
_ROW, _COLUMNS = 18, 6  # pixels of a row of a legend, and the most columns
_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
_SYMBOLS = {
    **{
        "circle": "o",
        "square": "s",
        "diamond": "D",
        "x": "X",
        "cross": "P",
        "triangle-down": "v",
        "triangle-up": "^",
        "triangle-right": ">",
    },
    **{"triangle-right": ">", "line-ns": "|", "line-ew": "_", "star": "*"},
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of a study, which a notebook shows as an image.

    Attributes:
        name: by which it is asked for.
        title: its heading.
        aid: how to read it.
        figure: the interactive one.
    """

    name: str
    title: str
    aid: str
    figure: go.Figure

    @property
    def svg(self) -> str:
        """The image, which needs no JavaScript."""
        return still(self.figure)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"{self.title}. {self.figure.layout.meta['alt']}"


@dataclass(slots=True)
class _Pane:
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
        read = (known.setdefault(_plain(v), len(known)) if isinstance(v, str) else v for v in values)
        return np.array([math.nan if value is None else value for value in read], dtype=float)

    def name(self) -> None:
        """Write the names beside the axes."""
        for axis, known in self.names.items():
            if known:
                getattr(self.ax, f"set_{axis}ticks")(range(len(known)), list(known))


def still(figure: go.Figure, width: int = 760) -> str:
    """Draw a figure as SVG; the same one always gives the same bytes.

    Args:
        figure: in the house style, see `hpsearch.reports.kit.canvas.draw`.
        width: in pixels.

    Returns:
        SVG text.
    """
    parts = figure.to_plotly_json()
    traces = [trace for trace in parts["data"] if trace.get("visible", True) is True]
    layout: Part = parts["layout"]
    height = layout.get("height", 430)
    return svg_text(lambda drawn: _fill(drawn, traces, layout, width, height), (width / _PIXELS, height / _PIXELS))


def _fill(drawn: Figure, traces: Sequence[Part], layout: Part, width: int, height: int) -> None:
    drawn.set_layout_engine("none")
    box = _box(traces, layout, width, height)
    panes = {("x", "y"): _Pane(_placed(drawn, box, _axis(layout, "x"), _axis(layout, "y")))}
    beside = [trace for trace in traces if trace.get("type") == "bar"] if layout.get("barmode") == "group" else []
    for trace in traces:
        key = (trace.get("xaxis", "x"), trace.get("yaxis", "y"))
        if key not in panes:
            panes[key] = _Pane(_placed(drawn, box, *(_axis(layout, name) for name in key)))
        lane = (beside.index(trace), len(beside)) if trace in beside else (0, 1)
        _draw(panes[key], trace, lane)
    for (x, y), pane in panes.items():
        pane.name()
        _scale(pane.ax, _axis(layout, x), _axis(layout, y))
        if _axis(layout, x).get("anchor", y) != y:  # its numbers stand under another pane
            pane.ax.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
            pane.ax.set_xlabel("")
    axes = {key: pane.ax for key, pane in panes.items()}
    first = axes["x", "y"]
    for shape in layout.get("shapes") or ():
        _shape(axes.get((_own(shape, "xref", "x"), _own(shape, "yref", "y")), first), shape)
    for note in layout.get("annotations") or ():
        _note(axes.get((_own(note, "xref", "x"), _own(note, "yref", "y")), first), note)
    _bars(drawn, traces, box)
    _legend(drawn, axes.values(), box, _upright(layout))


def _box(traces: Sequence[Part], layout: Part, width: int, height: int) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of the plot as shares, with room for long names and a colour bar."""
    margin = {"l": 64, "r": 20, "t": 34, "b": 54, **(layout.get("margin") or {})}
    styles = [style for name, style in layout.items() if name.startswith("yaxis")]
    names = [str(text) for style in styles for text in style.get("ticktext") or ()]
    names += [y for trace in traces for y in trace.get("y", ()) if isinstance(y, str)]
    beside = 44 if any(style.get("ticktext") and (style.get("title") or {}).get("text") for style in styles) else 22
    left = max(margin["l"], beside + _LETTER * max((len(_plain(name)) for name in names), default=0))
    right = max(margin["r"], 90 if any(_colour_bar(trace) for trace in traces) else 0)
    if _upright(layout):
        right = 44 + _LETTER * max((len(_label(trace)) for trace in traces), default=0)
    labels = list(dict.fromkeys(label for trace in traces if (label := _label(trace))))
    rows = 0 if _upright(layout) or not labels else math.ceil(len(labels) / _columns(labels, width - left - right))
    top = max(margin["t"], 14 + _ROW * rows)
    return left / width, margin["b"] / height, 1 - (left + right) / width, 1 - (top + margin["b"]) / height


def _columns(labels: Sequence[str], pixels: float) -> int:
    """Return in how many columns a legend fits; matplotlib fills one after the other, the first ones with one more."""
    for rows in range(math.ceil(len(labels) / _COLUMNS), len(labels)):
        columns = math.ceil(len(labels) / rows)
        widths = [max(map(len, column)) for column in np.array_split(np.array(labels), columns)]
        if sum(54 + 0.85 * _LETTER * width for width in widths) <= pixels:
            return columns
    return 1


def _upright(layout: Part) -> bool:
    """Return whether the legend stands to the right of the plot."""
    return (layout.get("legend") or {}).get("orientation") == "v"


def _axis(layout: Part, name: str) -> Part:
    found: Part = layout.get(f"{name[0]}axis{name[1:]}") or {}
    return found


def _own(part: Part, key: str, default: str) -> str:
    """Return the axis that a shape belongs to; one that spans the paper goes with the first."""
    name = str(part.get(key) or default).split(" ")[0]
    return default if name == "paper" else name


def _placed(drawn: Figure, box: tuple[float, float, float, float], x: Part, y: Part) -> Axes:
    left, bottom, width, height = box
    (x0, x1), (y0, y1) = x.get("domain") or (0, 1), y.get("domain") or (0, 1)
    place = (left + x0 * width, bottom + y0 * height, (x1 - x0) * width, (y1 - y0) * height)
    return drawn.add_axes(place)


def _draw(pane: _Pane, trace: Part, lane: tuple[int, int]) -> None:
    kind = trace.get("type", "scatter")
    if kind == "bar":
        _bar(pane, trace, lane)
    else:
        (_heat if kind in ("heatmap", "contour") else _scatter)(pane, trace)


def _heat(pane: _Pane, trace: Part) -> None:
    z = np.array([[math.nan if v is None else v for v in row] for row in trace["z"]], dtype=float)
    x, y = (pane.places(axis, trace.get(axis), z.shape[1 - row]) for row, axis in enumerate("xy"))
    low, high = (trace.get(key) for key in ("zmin", "zmax"))
    shared: Style = {"cmap": _scale_of(trace), "vmin": low, "vmax": high}
    if trace["type"] == "contour":
        pane.ax.contourf(x, y, z, levels=trace.get("ncontours", 14), **shared)
        return
    pane.ax.pcolormesh(x, y, z, shading="auto", **shared)
    for row, texts in zip(y, () if trace.get("text") is None else trace["text"], strict=False):
        for column, text in zip(x, texts, strict=False):
            pane.ax.text(column, row, _plain(text), ha="center", va="center", fontsize=8)


def _bar(pane: _Pane, trace: Part, lane: tuple[int, int]) -> None:
    error, (place, of) = trace.get("error_x") or {}, lane
    width = (trace.get("width") or 0.8) / of
    y = pane.places("y", trace["y"]) + (place - (of - 1) / 2) * width
    x = pane.places("x", trace["x"])
    colour = _colour((trace.get("marker") or {}).get("color") or theme.BLUE)
    rest: Style = {"left": trace.get("base"), "color": colour, "alpha": trace.get("opacity", 1), "label": _label(trace)}
    pane.ax.barh(y, x, width, **rest)
    ends = x if trace.get("base") is None else x + np.array(trace["base"])
    _error(pane.ax, ends, y, "x", error, theme.INK, 4)


def _scatter(pane: _Pane, trace: Part) -> None:
    y = pane.places("y", trace.get("y"))
    x = pane.places("x", trace.get("x"), len(y))
    mode, line, marker = trace.get("mode", "lines"), trace.get("line") or {}, trace.get("marker") or {}
    colour = _colour(line.get("color") or _single(marker.get("color")) or theme.BLUE)
    look = {"alpha": trace.get("opacity", 1.0), "label": _label(trace), "zorder": trace.get("zorder", 1) + 2}
    if trace.get("fill") == "tonexty" and pane.ax.lines:
        step: Any = {"hv": "post", "vh": "pre"}.get(line.get("shape", ""))
        wash = _colour(trace.get("fillcolor") or theme.BLUE_WASH)
        pane.ax.fill_between(x, pane.ax.lines[-1].get_ydata(), y, step=step, color=wash, lw=0, label=look.pop("label"))
    for axis in ("x", "y"):
        _error(pane.ax, x, y, axis, trace.get(f"error_{axis}") or {}, colour, look["zorder"])
    if "lines" in mode:
        pane.ax.plot(x, y, color=colour, **_line_style(line), **(_dots(marker) if "markers" in mode else {}), **look)
    elif "markers" in mode:
        _marks(pane.ax, x, y, marker, look)
    if "text" in mode:
        above: Style = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
        for place, text in enumerate(trace["text"]):
            pane.ax.annotate(_plain(text), (x[place], y[place]), (0, 7), **above)


def _line_style(line: Part) -> Style:
    shape = {"hv": "steps-post", "vh": "steps-pre"}.get(line.get("shape", ""), "default")
    return {"ls": _DASHES.get(line.get("dash", "solid"), "--"), "lw": 0.75 * line.get("width", 2), "drawstyle": shape}


def _dots(marker: Part) -> Style:
    return {"marker": _symbol(marker), "ms": 0.75 * float(_single(marker.get("size")) or 6)}


def _symbol(marker: Part) -> str:
    return _SYMBOLS.get(str(_single(marker.get("symbol")) or "circle").removesuffix("-open"), "o")


def _error(ax: Axes, x: Array, y: Array, axis: str, error: Part, colour: Any, order: float) -> None:
    if error.get("array") is None or error.get("visible") is False or not any(error["array"]):
        return
    above = list(error["array"])
    spread = [list(error["arrayminus"]) if error.get("arrayminus") is not None else above, above]
    shared: Style = {"ecolor": colour, "elinewidth": 1.4, "capsize": 3, "zorder": order, f"{axis}err": spread}
    ax.errorbar(x, y, fmt="none", **shared)


def _marks(ax: Axes, x: Array, y: Array, marker: Part, look: Style) -> None:
    name, sizes = str(_single(marker.get("symbol")) or "circle"), marker.get("size")
    colour = _colours(marker, marker.get("color"), len(x))
    style: Style = {"color": colour, "linewidths": 1.8 if name.startswith("line") else 0}
    ring = marker.get("line") or {}
    if isinstance(colour, tuple) and colour[3] == 0:
        style = {"facecolors": "none", "edgecolors": _colour(ring.get("color")), "linewidths": ring.get("width", 1)}
    elif name.endswith("-open") and not name.startswith("line"):
        style = {"facecolors": "none", "edgecolors": colour}
    area = np.square(0.78 * np.array(sizes if _listed(sizes) else [sizes or 6], dtype=float))
    opacity = look["alpha"] * float(_single(marker.get("opacity")) or 1)
    ax.scatter(x, y, area, marker=_symbol(marker), **{**look, "alpha": opacity}, **style)


def _scale(ax: Axes, x: Part, y: Part) -> None:
    for axis, line, style in (("x", ax.xaxis, x), ("y", ax.yaxis, y)):
        limits = ax.set_xlim if axis == "x" else ax.set_ylim
        log = style.get("type") == "log"
        if log:
            (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
            line.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
            line.set_minor_formatter(NullFormatter())
        if style.get("range") is not None:
            low, high = style["range"]
            limits(*((10**low, 10**high) if log else (low, high)))
        elif style.get("rangemode") == "tozero" and not log:
            limits(0, None)
        if style.get("autorange") == "reversed":
            limits(*reversed(line.get_view_interval()))
        _ticks(line, style)
        line.set_label_text(_plain((style.get("title") or {}).get("text") or ""))


def _ticks(line: XAxis | YAxis, style: Part) -> None:
    if isinstance(line, XAxis) and style.get("side") == "top":
        line.tick_top()
    if style.get("tickvals") is not None:
        texts = style.get("ticktext")
        line.set_ticks(list(style["tickvals"]), None if texts is None else list(map(_plain, texts)))
        line.set_minor_locator(NullLocator())
    if style.get("showgrid") is False:
        line.grid(False)
    if style.get("showticklabels") is False or style.get("visible") is False:
        line.set_ticks([])


def _shape(ax: Axes, shape: Part) -> None:
    line = shape.get("line") or {}
    colour = _colour(line.get("color") or theme.RULE)
    tall, wide = shape.get("yref") == "paper", shape.get("xref") == "paper"
    if shape.get("type") == "line":
        style: Style = {
            "color": colour,
            "ls": _DASHES.get(line.get("dash", "solid"), "--"),
            "lw": 0.75 * line.get("width", 1),
        }
        if tall and shape["x0"] == shape["x1"]:
            ax.axvline(shape["x0"], **style)
        elif wide and shape["y0"] == shape["y1"]:
            ax.axhline(shape["y0"], **style)
        else:
            ax.plot([shape["x0"], shape["x1"]], [shape["y0"], shape["y1"]], **style)
        return
    fill: Style = {"color": _colour(shape.get("fillcolor") or theme.GREY_WASH), "lw": 0, "zorder": 0}
    limits = ax.get_xlim(), ax.get_ylim()
    if tall:
        ax.axvspan(shape["x0"], shape["x1"], **fill)
    elif wide:
        ax.axhspan(shape["y0"], shape["y1"], **fill)
    else:
        ax.fill_between([shape["x0"], shape["x1"]], shape["y0"], shape["y1"], **fill)
    ax.set(xlim=limits[0], ylim=limits[1])


def _note(ax: Axes, note: Part) -> None:
    """Put a text where plotly has it: on a logarithmic axis it counts in decades, in paper in shares of the plot."""
    place = []
    for axis in ("x", "y"):
        value = note.get(axis, 0.5)
        paper = str(note.get(f"{axis}ref") or axis).endswith(("paper", "domain"))
        log = getattr(ax, f"get_{axis}scale")() == "log" and not paper
        place.append((10**value if log else value, paper))
    (x, over), (y, up) = place
    coords = ("axes fraction" if over else "data", "axes fraction" if up else "data")
    ends = {"left": "left", "right": "right"}.get(str(note.get("xanchor")), "center")
    upright = {"top": "top", "bottom": "bottom"}.get(str(note.get("yanchor")), "center")
    away = (note.get("ax") or 0, -(note.get("ay") or 0)) if note.get("showarrow") else (0, 0)
    colour = _colour((note.get("font") or {}).get("color") or theme.INK)
    style: Style = {"textcoords": "offset points", "ha": ends, "va": upright, "fontsize": 9, "color": colour}
    ax.annotate(_plain(note.get("text") or ""), (x, y), away, xycoords=coords, annotation_clip=False, **style)


def _bars(drawn: Figure, traces: Sequence[Part], box: tuple[float, float, float, float]) -> None:
    left, bottom, width, height = box
    for bar, part in [(bar, part) for trace in traces for bar, part in _colour_bar(trace)][:1]:
        low, high = (part.get(key) for key in (("cmin", "cmax") if "cmin" in part else ("zmin", "zmax")))
        if low is None or high is None:
            flat = [v for row in part.get("z", ()) for v in row if v is not None and math.isfinite(v)]
            low, high = min(flat, default=0.0), max(flat, default=1.0)
        place = drawn.add_axes((left + width + 0.015, bottom, 0.016, height))
        title = _plain((bar.get("title") or {}).get("text") or "")
        key = drawn.colorbar(ScalarMappable(Normalize(low, high), _scale_of(part)), cax=place, label=title)
        key.outline.set_visible(False)
        if bar.get("tickvals") is not None:
            key.set_ticks(list(bar["tickvals"]), labels=list(map(_plain, bar.get("ticktext") or bar["tickvals"])))


def _colour_bar(trace: Part) -> list[tuple[Part, Part]]:
    """Return the colour bar of a trace and the part that holds its scale, if it has one."""
    marker = trace.get("marker") or {}
    if marker.get("colorbar") and marker.get("showscale", True):
        return [(marker["colorbar"], marker)]
    heat = trace.get("type") in ("heatmap", "contour") and trace.get("showscale", True) and trace.get("colorbar")
    return [(trace["colorbar"], trace)] if heat else []


def _legend(drawn: Figure, axes: Iterable[Axes], box: tuple[float, float, float, float], upright: bool) -> None:
    known = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    if known:
        left, bottom, width, height = box
        columns = 1 if upright else _columns([*known], width * drawn.get_figwidth() * _PIXELS)
        style: Style = {"ncols": columns, "frameon": False, "fontsize": 9, "borderaxespad": 0.2}
        corner = (left + width, bottom + height) if upright else (left, bottom + height)
        style |= {"loc": "upper left" if upright else "lower left", "bbox_to_anchor": corner}
        drawn.legend([*known.values()], [*known], **style)


def _label(trace: Part) -> str:
    shown = trace.get("showlegend", True) and trace.get("name")
    return _plain(str(trace["name"])) if shown else ""


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def _single(value: Any) -> Any:
    return next(iter(value), None) if _listed(value) else value


def _colours(marker: Part, given: Any, n: int) -> Any:
    """Return one colour, or one for each mark: by name, or on the marker's scale."""
    if not _listed(given):
        return _colour(given or theme.BLUE)
    if all(isinstance(value, str) for value in given):
        return [_colour(value) for value in given] or _colour(theme.BLUE)
    numbers = np.array([math.nan if value is None else value for value in given], dtype=float)[:n]
    low, high = marker.get("cmin", np.nanmin(numbers, initial=0)), marker.get("cmax", np.nanmax(numbers, initial=1))
    return _scale_of(marker)(Normalize(low, high)(numbers))


def _scale_of(part: Part) -> LinearSegmentedColormap:
    scale = part.get("colorscale") or theme.score_scale()
    return LinearSegmentedColormap.from_list("scale", [(place, _colour(colour)) for place, colour in scale])


def _colour(text: Any) -> Any:
    """Return a colour as matplotlib takes it: plotly writes ``rgba(11, 92, 173, 0.16)``."""
    channels = re.fullmatch(r"rgba?\(([^)]*)\)", str(text))
    if not channels:
        return text
    red, green, blue, *alpha = (float(value) for value in channels[1].split(","))
    return (red / 255, green / 255, blue / 255, *(alpha or [1.0]))


def _plain(text: Any) -> str:
    """Return the words of a text that plotly would read as markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<br\s*/?>", "\n", str(text))))
