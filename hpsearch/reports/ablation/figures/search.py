"""The search before an ablation, in which every arm was retuned."""

from collections.abc import Iterator, Sequence
from typing import Any

from hpsearch.base.digits import Digits
from hpsearch.base.labels import labels
from hpsearch.base.words import label, number, score
from hpsearch.reports.ablation.figures.style import NAME, arm_styles
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.tuning import ArmSearch, TriedSetting
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import (
    SIDE_LEGEND,
    Drawn,
    Trace,
    axis_style,
    draw,
    escape,
    foot_trace,
    positive_span,
)
from hpsearch.reports.kit.figure import Figure

_WITHOUT_TRIALS = (theme.MUTED, "solid")  # of an arm that has none yet


def searches(found: Ablation) -> Iterator[Drawn]:
    """Draw the scores of the search over each nuisance hyperparameter, a line per arm.

    Args:
        found: the ablation.

    Yields:
        A figure per hyperparameter that was searched over numbers.
    """
    for key in found.nuisance.keys:
        figure = search_figure(found, key)
        if figure is not None:
            aid = (
                "The search of each arm, on seeds of its own; rings are the values that the arm was given: the best "
                "mean, smoothed over neighbours. Open squares came to their end, too slow or at chance in some seed: "
                "the training loss made less than half of the largest fall of the arm; crosses diverged."
            )
            yield f"tuning-{key.replace('.', '-')}", f"Tuned for each arm: {label(key)}", aid, figure


def search_figure(found: Ablation, key: str) -> Figure | None:
    """Draw the scores of the search in which a nuisance hyperparameter was retuned, a line per arm.

    Args:
        found: the ablation.
        key: the hyperparameter.

    Returns:
        The figure; rings are what was chosen, open squares did not train with every seed, crosses at the foot
        diverged; None where no arm was searched over numbers.
    """
    traces: list[Trace] = []
    styles = arm_styles(found)
    tried = {
        search.arm: [(s.params[key], s) for s in search.tried if _numeric(s.params.get(key))]
        for search in found.nuisance.searches
    }
    digits = Digits.of(x for settings in tried.values() for x, _ in settings)
    names = labels([search.arm for search in found.nuisance.searches], NAME)
    for search, name in zip(found.nuisance.searches, names, strict=True):
        ordered = sorted(tried[search.arm], key=lambda pair: pair[0])
        look = styles.get(search.arm, _WITHOUT_TRIALS)
        traces += _arm_traces(search, key, ordered, digits, escape(name), *look)
    scores = [y for trace in traces for y in trace["y"]]
    if not scores:
        return None
    lost = [(x, arm) for arm, settings in tried.items() for x, setting in settings if setting.diverged]
    flat = [
        (x, setting.mean)
        for settings in tried.values()
        for x, setting in settings
        if setting.stable is False and setting.mean is not None
    ]
    traces += [_flat_trace(flat)] if flat else []
    traces += [foot_trace(lost, min(scores), max(scores), label(key), digits)] if lost else []
    log = positive_span([x for trace in traces for x in trace["x"]]) > 20
    x_axis = axis_style(label(key), **({"type": "log", "exponentformat": "power", "dtick": 1} if log else {}))
    layout = {"xaxis": x_axis, "yaxis": axis_style(found.objective.metric), "legend": SIDE_LEGEND, "height": 460}
    best = "; ".join(
        f"{s.arm} given {number(s.params[key], digits)}" for s in found.nuisance.searches if key in s.params
    )
    alt = f"{found.objective.metric} against {label(key)}, one line per arm: {best}; {len(lost)} settings diverged."
    return draw(traces, layout, alt, min_width=620)


def _arm_traces(
    search: ArmSearch, key: str, tried: Sequence[tuple[float, TriedSetting]], digits: Digits, *look: str
) -> list[Trace]:
    """Return the line of an arm's scores, with its name, colour and dash, and a ring around what was chosen."""
    name, colour, dash = look
    scored = [(x, setting.mean, setting.stable is False) for x, setting in tried if setting.mean is not None]
    if not scored:
        return []
    hover = f"<b>{name}</b><br>{escape(label(key))} %{{text}}<extra></extra>"
    line = {
        **{"type": "scatter", "mode": "lines+markers", "name": name, "legendgroup": name, "hovertemplate": hover},
        "x": [x for x, _, _ in scored],
        "y": [y for _, y, _ in scored],
        "text": [f"{number(x, digits)}: {score(y)}" + "<br>not trained" * flat for x, y, flat in scored],
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "size": 6},
    }
    if key not in search.params:
        return [line]
    ring = {"color": "rgba(0,0,0,0)", "size": 15, "line": {"color": theme.INK, "width": 2}}
    best = {"x": [search.params[key]], "y": [search.mean], "mode": "markers", "marker": ring, "showlegend": False}
    return [line, {"type": "scatter", "legendgroup": name, "hoverinfo": "skip", **best}]


def _flat_trace(flat: Sequence[tuple[float, float]]) -> Trace:
    """Return open squares around the settings that trained without halving their loss."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "not trained",
        "marker": {"color": theme.INK, "size": 12, "symbol": "square-open", "line": {"width": 1.5}},
        "legendrank": 1,
        "x": [x for x, _ in flat],
        "y": [y for _, y in flat],
        "hoverinfo": "skip",
    }


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
