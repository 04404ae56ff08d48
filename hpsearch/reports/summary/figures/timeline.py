"""When each trial ran: one lane per slot that was busy, coloured by how the trial ended."""

import math
from heapq import heappop, heappush
from typing import Any

import hpsearch.reports.kit.theme as theme
from hpsearch.base.labels import shorten
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.base.words import duration, score
from hpsearch.reports.kit.canvas import Drawn, Trace, axis_style, draw, escape
from hpsearch.reports.kit.curves import thin
from hpsearch.reports.kit.figure import Figure
from hpsearch.reports.kit.space import floats
from hpsearch.reports.summary.numbers import Findings

MOST_BARS = 2000
_MANY = 300  # bars; beyond, a line between them would hide them
_UNITS = ((7200.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))


def figure(found: Findings) -> Drawn:
    """Return when each trial ran."""
    trials = len(found.table.trials)
    aid = "When each trial ran, one lane per trial at work at the same time; gaps are waiting."
    aid += f" Shown: {MOST_BARS:,} of {trials:,} trials, evenly spaced." if trials > MOST_BARS else ""
    return "timeline", "Timeline", aid, timeline_figure(found.table)


def timeline_figure(table: TrialTable) -> Figure:
    """Draw trials as bars from start to end, as many lanes as ran at the same time.

    Args:
        table: the study.

    Returns:
        The figure; trials that have not both started and ended are left out, of very many 2,000 are drawn.
    """
    trials = table.trials
    known = trials[trials["started"].notna() & trials["ended"].notna()].sort_values("started")
    starts, ends = floats(known["started"]).tolist(), floats(known["ended"]).tolist()
    origin, lanes = min(starts, default=0.0), lanes_of(starts, ends)
    total = max(ends, default=0.0) - origin
    unit, word = next((size, name) for least, size, name in _UNITS if total >= least)
    rows = known.to_dict("records")
    shown = thin(len(rows), MOST_BARS).tolist()
    traces = []
    for state in theme.STATES:
        mine = [i for i in shown if rows[i]["state"] == state]
        if mine:
            trace = _bars(state, [_hover(rows[i]) for i in mine], gap=len(shown) <= _MANY)
            trace |= {"base": [_brief((starts[i] - origin) / unit) for i in mine], "y": [lanes[i] + 1 for i in mine]}
            traces.append({**trace, "x": [_brief((ends[i] - starts[i]) / unit) for i in mine]})
    count = max(lanes, default=0) + 1
    y = axis_style(
        "slot", range=[count + 0.5, 0.5], tickmode="linear", dtick=max(1, math.ceil(count / 8)), tick0=1, showgrid=False
    )
    layout = {"barmode": "overlay", "xaxis": axis_style(f"{word} since the first start"), "yaxis": y}
    alt = f"Timeline of {len(rows)} trials on {count} slots over {duration(total)}."
    return draw(traces, {**layout, "height": min(520, 150 + 42 * count)}, alt)


def lanes_of(starts: list[float], ends: list[float]) -> list[int]:
    """Give each interval the lowest lane that is free when it starts.

    Args:
        starts: ascending start times.
        ends: their end times.

    Returns:
        Lane numbers from 0; as many lanes as intervals that overlap at some moment.
    """
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    lanes: list[int] = []
    opened = 0
    for start, end in zip(starts, ends, strict=True):
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        if not free:
            heappush(free, opened)
            opened += 1
        lane = heappop(free)
        heappush(busy, (end, lane))
        lanes.append(lane)
    return lanes


def _brief(value: float) -> float:
    return float(f"{value:.7g}")


def _bars(state: TrialState, hover: list[str], *, gap: bool) -> Trace:
    return {
        **{"type": "bar", "orientation": "h", "name": state.lower(), "width": 0.72, "hovertext": hover},
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": theme.STATES[state][0], "opacity": 0.8, "line": {"color": theme.PAPER, "width": int(gap)}},
    }


def _hover(row: dict[str, Any]) -> str:
    text = f"<b>trial {row['point']}/{row['seed']}: {escape(row['state']).lower()}</b>"
    result, spent = (float("nan") if row[name] is None else float(row[name]) for name in ("score", "duration_sec"))
    text += "" if math.isnan(result) else f"<br>score {score(result)}"
    text += f"<br>{duration(spent)}"
    return text + (
        f"<br>{escape(shorten(row['reason'], 80))}" if isinstance(row["reason"], str) and row["reason"] else ""
    )
