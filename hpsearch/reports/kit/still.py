"""A plotly figure without JavaScript: the same traces drawn by matplotlib as SVG, for READMEs and notebooks.

It knows what our figures use: scatter, horizontal bars, heat maps, shapes, annotations, several axes by domain. A menu
shows its first entry; hover texts are left out.
"""

import importlib
import io
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Sheet
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator, PercentFormatter

import hpsearch.reports.kit.theme as theme
from hpsearch.base.words import number
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.still_traces import (
    DASHES,
    POINTS_PER_PIXEL,
    Pane,
    Part,
    Style,
    colour_of,
    draw_trace,
    plain,
    scale_of,
    trace_label,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

PIXELS_PER_INCH = 100
HEIGHT_PX = 430  # of a figure that does not say
MARGIN_PX = {"l": 64, "r": 20, "t": 34, "b": 54}  # around the plot, of a figure that does not say
TICK_LETTER_PX = 7.6  # of a letter of a tick label
TICK_GAP_PX = 22  # between the edge of the picture and a name beside an axis, tick included
AXIS_LABEL_PX = 22  # what the label of an axis takes beside its names
COLOUR_BAR_PX = 112  # to the right of the plot, its numbers and its label included
LEGEND_ROW_PX = 18
LEGEND_TOP_PX = 14  # above its first row
LEGEND_ENTRY_PX = 54  # of an entry, beside its letters
LEGEND_LETTER_PX = 6.5
LEGEND_COLUMNS = 6  # at most
LEGEND_UPRIGHT_PX = 44  # of a legend to the right of the plot, beside its letters
TEXT = 9  # points of a legend and of a note
TITLE = 10  # points of the title of a whole figure
_BAR_GAP, _BAR_WIDTH = 0.015, 0.016  # of a colour bar, in shares of the width
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "hpsearch",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": theme.RULE,
    "axes.labelcolor": theme.MUTED,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": theme.GRID,
    "xtick.color": theme.MUTED,
    "ytick.color": theme.MUTED,
    "text.color": theme.INK,
    "figure.facecolor": "white",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of a study, which a notebook shows as an image.

    Attributes:
        name: by which it is asked for.
        title: its heading.
        aid: how to read it.
        drawn: the figure.
    """

    name: str
    title: str
    aid: str
    drawn: Figure

    @property
    def figure(self) -> "go.Figure":
        """The interactive one, as plotly has it."""
        return self.drawn.plotly

    @property
    def svg(self) -> str:
        """The image, which needs no JavaScript."""
        return still(self.drawn)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"{self.title}. {self.drawn.parts['layout']['meta']['alt']}"


def still(figure: Figure, width: int = 760) -> str:
    """Draw a figure as SVG; the same one always gives the same bytes.

    Args:
        figure: in the house style, see `hpsearch.reports.kit.canvas.draw`.
        width: in pixels.

    Returns:
        SVG text.
    """
    return drawn_as_svg(figure.parts, width)


def drawn_as_svg(parts: Part, width: int = 760) -> str:
    """Draw a figure in parts as SVG.

    Args:
        parts: its ``data`` and its ``layout``, see `hpsearch.reports.kit.figure.Figure`.
        width: in pixels.

    Returns:
        SVG text.
    """
    height = parts["layout"].get("height") or HEIGHT_PX
    if "IPython" in sys.modules:
        importlib.import_module("IPython")  # matplotlib looks into it, and another thread may be importing it just now
    with matplotlib.rc_context(_STYLE):
        drawn = Sheet(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
        fill(drawn, parts)
        text = io.StringIO()
        drawn.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def views(figure: Figure) -> Iterator[tuple[str, Figure]]:
    """Yield what a figure's menu offers, as figures without it.

    Args:
        figure: in the house style; of several menus the first one that drops down counts.

    Yields:
        Label of each entry and the figure that it shows, the one that is on first; an empty label and the figure itself
        where there is nothing to choose.
    """
    import plotly.graph_objects as go

    menu = next((each for each in figure.layout.updatemenus if each.type == "dropdown"), None)
    if menu is None:
        yield "", figure
        return
    on = menu.active or 0
    for button in (menu.buttons[on], *menu.buttons[:on], *menu.buttons[on + 1 :]):
        shown = go.Figure(figure.plotly)
        traces, layout = button.args
        shown.plotly_update(restyle_data=traces, relayout_data=layout)
        yield plain(button.label), Figure(shown.to_plotly_json())


def fill(drawn: Sheet, parts: Part) -> None:
    """Draw a plotly figure on an empty matplotlib figure.

    Args:
        drawn: where to draw.
        parts: the ``data`` and the ``layout`` of a figure in the house style.
    """
    traces = [trace for trace in parts["data"] if trace.get("visible", True) is True]
    layout: Part = parts["layout"]
    width, height = (round(inches * PIXELS_PER_INCH) for inches in drawn.get_size_inches())
    box = _box(traces, layout, width, height)
    panes = {("x", "y"): Pane(_placed(drawn, box, _axis(layout, "x"), _axis(layout, "y")))}
    beside = [trace for trace in traces if trace.get("type") == "bar"] if layout.get("barmode") == "group" else []
    for trace in traces:
        key = (trace.get("xaxis", "x"), trace.get("yaxis", "y"))
        if key not in panes:
            panes[key] = Pane(_placed(drawn, box, *(_axis(layout, name) for name in key)))
        lane = (beside.index(trace), len(beside)) if trace in beside else (0, 1)
        draw_trace(panes[key], trace, lane)
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
        _note(axes.get((_own(note, "xref", "x"), _own(note, "yref", "y")), first), note, box)
    _bars(drawn, traces, box)
    _legend(drawn, axes.values(), box, layout)
    title = layout.get("title") or {}
    if title.get("text"):
        told = [title["text"], (title.get("subtitle") or {}).get("text") or ""]
        drawn.suptitle("\n".join(map(plain, told)), x=0.01, ha="left", wrap=True, fontsize=TITLE)


def _box(traces: Sequence[Part], layout: Part, width: int, height: int) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of the plot as shares, with room for long names and a colour bar."""
    margin = {**MARGIN_PX, **(layout.get("margin") or {})}
    styles = [style for name, style in layout.items() if name.startswith("yaxis")]
    names = [str(text) for style in styles for text in style.get("ticktext") or ()]
    names += [y for trace in traces for y in trace.get("y", ()) if isinstance(y, str)]
    longest = max((len(line) for name in names for line in plain(name).splitlines()), default=0)
    titled = any(style.get("ticktext") and (style.get("title") or {}).get("text") for style in styles)
    left = max(margin["l"], TICK_GAP_PX + AXIS_LABEL_PX * titled + TICK_LETTER_PX * longest)
    right = max(margin["r"], COLOUR_BAR_PX if any(_colour_bar(trace) for trace in traces) else 0)
    labels = list(dict.fromkeys(label for trace in traces if (label := trace_label(trace))))
    if _upright(layout):
        right = LEGEND_UPRIGHT_PX + TICK_LETTER_PX * max(map(len, [*labels, _legend_title(layout)]), default=0)
    rows = 0 if _upright(layout) or not labels else math.ceil(len(labels) / _columns(labels, width - left - right))
    top = max(margin["t"], LEGEND_TOP_PX + LEGEND_ROW_PX * rows)
    return left / width, margin["b"] / height, 1 - (left + right) / width, 1 - (top + margin["b"]) / height


def _columns(labels: Sequence[str], pixels: float) -> int:
    """Return in how many columns a legend fits; matplotlib fills one after the other, the first ones with one more."""
    for rows in range(math.ceil(len(labels) / LEGEND_COLUMNS), len(labels)):
        columns = math.ceil(len(labels) / rows)
        widths = [max(map(len, column)) for column in np.array_split(np.array(labels), columns)]
        if sum(LEGEND_ENTRY_PX + LEGEND_LETTER_PX * width for width in widths) <= pixels:
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


def _placed(drawn: Sheet, box: tuple[float, float, float, float], x: Part, y: Part) -> Axes:
    left, bottom, width, height = box
    (x0, x1), (y0, y1) = x.get("domain") or (0, 1), y.get("domain") or (0, 1)
    place = (left + x0 * width, bottom + y0 * height, (x1 - x0) * width, (y1 - y0) * height)
    return drawn.add_axes(place)


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
        line.set_label_text(plain((style.get("title") or {}).get("text") or ""))


def _ticks(line: XAxis | YAxis, style: Part) -> None:
    if isinstance(line, XAxis) and style.get("side") == "top":
        line.tick_top()
    if style.get("tickvals") is not None:
        texts = style.get("ticktext")
        line.set_ticks(list(style["tickvals"]), None if texts is None else list(map(plain, texts)))
        line.set_minor_locator(NullLocator())
    elif style.get("tickformat") == ".0%":
        line.set_major_formatter(PercentFormatter(1, 0))
    if style.get("showgrid") is False:
        line.grid(False)
    if style.get("showticklabels") is False:
        line.set_tick_params(which="both", label1On=False, tick1On=False)
    if style.get("visible") is False:
        line.set_ticks([])


def _shape(ax: Axes, shape: Part) -> None:
    line = shape.get("line") or {}
    colour = colour_of(line.get("color") or theme.RULE)
    tall, wide = shape.get("yref") == "paper", shape.get("xref") == "paper"
    if shape.get("type") == "line":
        style: Style = {
            "color": colour,
            "ls": DASHES.get(line.get("dash", "solid"), "--"),
            "lw": POINTS_PER_PIXEL * line.get("width", 1),
        }
        if tall and shape["x0"] == shape["x1"]:
            ax.axvline(shape["x0"], **style)
        elif wide and shape["y0"] == shape["y1"]:
            ax.axhline(shape["y0"], **style)
        else:
            ax.plot([shape["x0"], shape["x1"]], [shape["y0"], shape["y1"]], **style)
        return
    fill: Style = {"color": colour_of(shape.get("fillcolor") or theme.GREY_WASH), "lw": 0, "zorder": 0}
    limits = ax.get_xlim(), ax.get_ylim()
    if tall:
        ax.axvspan(shape["x0"], shape["x1"], **fill)
    elif wide:
        ax.axhspan(shape["y0"], shape["y1"], **fill)
    else:
        ax.fill_between([shape["x0"], shape["x1"]], shape["y0"], shape["y1"], **fill)
    ax.set(xlim=limits[0], ylim=limits[1])


def _note(ax: Axes, note: Part, box: tuple[float, float, float, float]) -> None:
    """Put a text where plotly has it: on a logarithmic axis it counts in decades, in paper in shares of the plot."""
    place = []
    for axis in ("x", "y"):
        value = note.get(axis, 0.5)
        paper = str(note.get(f"{axis}ref") or axis).endswith(("paper", "domain"))
        log = getattr(ax, f"get_{axis}scale")() == "log" and not paper
        place.append((10**value if log else value, paper))
    (x, over), (y, up) = place
    coords = ("axes fraction" if over else "data", "axes fraction" if up else "data")
    if note.get("xref") == note.get("yref") == "paper":  # that of all panes
        x, y, coords = box[0] + x * box[2], box[1] + y * box[3], ("figure fraction", "figure fraction")
    ends = {"left": "left", "right": "right"}.get(str(note.get("xanchor")), "center")
    upright = {"top": "top", "bottom": "bottom"}.get(str(note.get("yanchor")), "center")
    away = (note.get("ax") or 0, -(note.get("ay") or 0)) if note.get("showarrow") else (0, 0)
    colour = colour_of((note.get("font") or {}).get("color") or theme.INK)
    style: Style = {"textcoords": "offset points", "ha": ends, "va": upright, "fontsize": TEXT, "color": colour}
    if note.get("showarrow"):
        style["arrowprops"] = {"arrowstyle": "-", "color": theme.MUTED, "lw": 0.8, "shrinkB": note.get("standoff") or 0}
    ax.annotate(plain(note.get("text") or ""), (x, y), away, xycoords=coords, annotation_clip=False, **style)


def _bars(drawn: Sheet, traces: Sequence[Part], box: tuple[float, float, float, float]) -> None:
    left, bottom, width, height = box
    for bar, part in [(bar, part) for trace in traces for bar, part in _colour_bar(trace)][:1]:
        low, high = (part.get(key) for key in (("cmin", "cmax") if "cmin" in part else ("zmin", "zmax")))
        if low is None or high is None:
            flat = [v for row in part.get("z", ()) for v in row if v is not None and math.isfinite(v)]
            low, high = min(flat, default=0.0), max(flat, default=1.0)
        place = drawn.add_axes((left + width + _BAR_GAP, bottom, _BAR_WIDTH, height))
        title = plain((bar.get("title") or {}).get("text") or "")
        key = drawn.colorbar(ScalarMappable(Normalize(low, high), scale_of(part)), cax=place, label=title)
        key.outline.set_visible(False)
        if bar.get("tickvals") is not None:
            key.set_ticks(list(bar["tickvals"]), labels=list(map(plain, bar.get("ticktext") or bar["tickvals"])))


def _colour_bar(trace: Part) -> list[tuple[Part, Part]]:
    """Return the colour bar of a trace and the part that holds its scale, if it has one."""
    marker = trace.get("marker") or {}
    if marker.get("colorbar") and marker.get("showscale", True):
        return [(marker["colorbar"], marker)]
    heat = trace.get("type") in ("heatmap", "contour") and trace.get("showscale", True) and trace.get("colorbar")
    return [(trace["colorbar"], trace)] if heat else []


def _legend(drawn: Sheet, axes: Iterable[Axes], box: tuple[float, float, float, float], layout: Part) -> None:
    known = {text: handle for ax in axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    if known:
        left, bottom, width, height = box
        upright = _upright(layout)
        columns = 1 if upright else _columns([*known], width * drawn.get_figwidth() * PIXELS_PER_INCH)
        style: Style = {"ncols": columns, "frameon": False, "fontsize": TEXT, "borderaxespad": 0.2}
        corner = (left + width, bottom + height) if upright else (left, bottom + height)
        style |= {"loc": "upper left" if upright else "lower left", "bbox_to_anchor": corner}
        if title := _legend_title(layout):
            style |= {"title": title, "title_fontsize": TEXT, "alignment": "left"}
        drawn.legend([*known.values()], [*known], **style)


def _legend_title(layout: Part) -> str:
    return plain(((layout.get("legend") or {}).get("title") or {}).get("text") or "")
