"""The means of the arms of two factors as a map."""

from collections.abc import Iterator, Sequence
from typing import Any

from hpsearch.base.labels import labels
from hpsearch.base.words import score
from hpsearch.reports.ablation.arms import Arm, Factor
from hpsearch.reports.ablation.figures.style import arm_hover
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.canvas import Drawn, Layout, axis_style, colour_bar, draw, escape


def score_map(found: Ablation) -> Iterator[Drawn]:
    """Draw the mean of every arm of two factors as a heat map; the better, the further from the background.

    Args:
        found: the ablation.

    Yields:
        The figure; nothing unless two factors vary.
    """
    if len(found.varied) != 2:
        return
    across, up = found.varied
    arms = {(arm.levels[across.key], arm.levels[up.key]): arm for arm in found.arms}
    rows = [[arms.get((x, y)) for x in across.values] for y in up.values]
    means = [[arm.score.mean if arm is not None and arm.finished else None for arm in row] for row in rows]
    low, high = _ends([mean for row in means for mean in row if mean is not None])
    cells = [
        _cell_text(i, j, arm, found, low, high)
        for i, row in enumerate(rows)
        for j, arm in enumerate(row)
        if arm is not None
    ]
    scale: Any = theme.score_scale()
    if not found.objective.maximize:
        scale = [[1 - place, colour] for place, colour in reversed(scale)]
    trace = {
        "type": "heatmap",
        "z": means,
        "zmin": low,
        "zmax": high,
        "xgap": 2,
        "ygap": 2,
        "colorscale": scale,
        "colorbar": colour_bar(found.objective.metric),
        "hovertext": [[arm_hover(arm, found) if arm is not None else "" for arm in row] for row in rows],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    layout = {
        "xaxis": _level_axis(across),
        "yaxis": {**_level_axis(up), "autorange": "reversed"},
        "annotations": cells,
        "height": 150 + 74 * len(up.values),
        "margin": {"l": 90, "r": 90, "t": 20, "b": 60},
    }
    means_text = "; ".join(f"{arm.name} {score(arm.score.mean, arm.score.sd)}" for arm in found.arms if arm.finished)
    title = f"{found.objective.metric} over {across.name} and {up.name}"
    figure = draw([trace], layout, f"Map of {title}: {means_text}.")
    yield "map", title, "Means over seeds ± one sd; hover for the interval of each arm.", figure


def _cell_text(row: int, column: int, arm: Arm, found: Ablation, low: float, high: float) -> Layout:
    """Return the text in a cell, in the ink that can be read on its colour."""
    relative = (arm.score.mean - low) / (high - low) if arm.finished else 0.0
    dark = (relative if found.objective.maximize else 1 - relative) > 0.55
    text = "diverged" if not arm.finished else score(arm.score.mean, arm.score.sd).replace(" ± ", "<br>± ")
    font = {"color": theme.PAPER if dark and arm.finished else theme.INK, "size": 13}
    return {"x": column, "y": row, "text": text, "showarrow": False, "font": font}


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _level_axis(factor: Factor) -> Layout:
    texts = list(map(escape, labels([factor.axis.write(value) for value in factor.values])))
    return axis_style(factor.name, tickvals=list(range(len(texts))), ticktext=texts, showgrid=False)
