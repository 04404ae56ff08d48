"""Colours and type of every figure: readable on light and dark, on paper, and with any colour vision.

Figures are drawn in the light colours. A page that turns dark replaces each by its partner in `dark_partners`.
"""

from hpsearch.base.palette import blend
from hpsearch.base.types import TrialState

FONT = "-apple-system, 'Segoe UI', Roboto, Inter, Ubuntu, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
STEPS = 48  # colours in a scale: neighbours differ by less than the eye sees

INK, MUTED, RULE, GRID, PAPER = "#1c2128", "#57606a", "#c9d0d8", "#e8ebef", "#ffffff"
BLUE, BLUE_WASH = "#0b5cad", "rgba(11, 92, 173, 0.16)"
RED, RED_WASH = "#b3400a", "rgba(179, 64, 10, 0.10)"
GREEN, GREEN_WASH = "#00705a", "rgba(0, 112, 90, 0.08)"
GOLD_WASH = "rgba(138, 101, 0, 0.16)"
GREY_WASH, GREY_WASH_DEEP = "rgba(87, 96, 106, 0.14)", "rgba(87, 96, 106, 0.26)"

_DARK = {
    INK: "#e8ecf1",
    MUTED: "#a3adb9",
    RULE: "#434c57",
    GRID: "#262d36",
    PAPER: "#161b22",
    BLUE: "#6cb4ff",
    BLUE_WASH: "rgba(108, 180, 255, 0.20)",
    RED: "#ff9a66",
    RED_WASH: "rgba(255, 154, 102, 0.13)",
    GREEN: "#4fd1ae",
    GREEN_WASH: "rgba(79, 209, 174, 0.10)",
    GOLD_WASH: "rgba(227, 183, 74, 0.18)",
    GREY_WASH: "rgba(163, 173, 185, 0.15)",
    GREY_WASH_DEEP: "rgba(163, 173, 185, 0.28)",
}

STATES = {
    TrialState.COMPLETE: (BLUE, "circle"),
    TrialState.PRUNED: ("#8a6500", "triangle-down"),
    TrialState.INFEASIBLE: (RED, "x"),
    TrialState.FAILED: ("#8b2f6f", "cross"),
    TrialState.RUNNING: (GREEN, "circle-open"),
    TrialState.PAUSED: (MUTED, "square-open"),
    TrialState.WAITING: (MUTED, "diamond-open"),
}
"""Colour and symbol of each state: none is told by colour alone."""

CATEGORIES = ("#0b5cac", "#b34009", "#00705b", "#8b2f6e", "#8a6501", "#2b7f9e", "#6b4fb3", "#57606b")
"""Okabe and Ito's hues, darkened to a contrast of at least 4.5 on white."""

_DARK |= {"#8a6500": "#e3b74a", "#8b2f6f": "#e88fc8"}
_DARK |= dict(
    zip(
        CATEGORIES,
        ("#6cb4fe", "#ff9a65", "#4fd1ad", "#e88fc7", "#e3b749", "#7fd3ee", "#b9a5f5", "#a3adb8"),
        strict=True,
    )
)

_VALUE = (
    ("#1d0f8f", "#5a06a6", "#8b12a3", "#b52f8c", "#d24f71", "#de6b48"),
    ("#7a63ff", "#b06bff", "#e070e0", "#ff86ad", "#ffab7a", "#ffd968"),
)
_SCORE = (
    ("#cdd6df", "#a3bdd6", "#709dc6", "#3d7cb4", "#105b9c", "#062f5c"),
    ("#333d48", "#33506d", "#3a6f9f", "#4f94cf", "#84bff0", "#d3ebff"),
)


def value_colour(position: float) -> str:
    """Return the colour of a hyperparameter's value, 0 the smallest and 1 the largest: blue over purple to orange."""
    return _ramp(_VALUE[0], position)


def score_colour(position: float) -> str:
    """Return the colour of a score, 0 the worst and 1 the best: the better, the further from the background."""
    return _ramp(_SCORE[0], position)


def value_scale() -> list[list[float | str]]:
    """Return the colour scale of `value_colour` as plotly takes it."""
    return [[i / (STEPS - 1), value_colour(i / (STEPS - 1))] for i in range(STEPS)]


def score_scale() -> list[list[float | str]]:
    """Return the colour scale of `score_colour` as plotly takes it."""
    return [[i / (STEPS - 1), score_colour(i / (STEPS - 1))] for i in range(STEPS)]


def dark_partners() -> dict[str, str]:
    """Return, for every colour a figure may use, the one to use on a dark page."""
    partners = dict(_DARK)
    for light, dark in (_VALUE, _SCORE):
        partners |= {_ramp(light, i / (STEPS - 1)): _ramp(dark, i / (STEPS - 1)) for i in range(STEPS)}
    return partners


def _ramp(anchors: tuple[str, ...], position: float) -> str:
    return blend(anchors, round(min(max(position, 0.0), 1.0) * (STEPS - 1)) / (STEPS - 1))
