"""hpsearch tunes a neural network the way a careful practitioner does.

Hydra composes, Optuna proposes, torch trains, MLflow remembers, plotly shows. Importing the package loads none of them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.function import run_search as run_search
    from hpsearch.landscape import curvature as curvature
    from hpsearch.results import compare as compare
    from hpsearch.results import draw as draw
    from hpsearch.results import load_curves as load_curves
    from hpsearch.results import load_trials as load_trials
    from hpsearch.single import run_trial as run_trial
    from hpsearch.study import run_study as run_study

_HOMES = {
    "run_study": "hpsearch.study",
    "run_search": "hpsearch.function",
    "run_trial": "hpsearch.single",
    "curvature": "hpsearch.landscape",
    "compare": "hpsearch.results",
    "draw": "hpsearch.results",
    "load_trials": "hpsearch.results",
    "load_curves": "hpsearch.results",
}
__all__ = ["compare", "curvature", "draw", "load_curves", "load_trials", "run_search", "run_study", "run_trial"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hpsearch' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
