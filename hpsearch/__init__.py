"""hpsearch tunes a neural network the way a careful practitioner does.

Hydra composes, Optuna proposes, torch trains, MLflow remembers, plotly shows. Importing the package loads none of them.
"""

TYPE_CHECKING = False  # as `typing` has it, which is not imported before the import path is in order

if TYPE_CHECKING:
    from hpsearch.progress.display import Silent as Silent
    from hpsearch.study.api import Objective as Objective
    from hpsearch.study.api import compare as compare
    from hpsearch.study.api import draw as draw
    from hpsearch.study.api import load_curves as load_curves
    from hpsearch.study.api import load_trials as load_trials
    from hpsearch.study.api import replay as replay
    from hpsearch.study.api import run_search as run_search
    from hpsearch.study.api import run_study as run_study
    from hpsearch.study.continued import continue_trial as continue_trial
    from hpsearch.study.curvature import curvature as curvature
    from hpsearch.study.outside import open_search as open_search
    from hpsearch.study.printed import export_tables as export_tables
    from hpsearch.study.printed import print_report as print_report
    from hpsearch.study.reporting import Decision as Decision
    from hpsearch.study.reporting import Stop as Stop
    from hpsearch.study.reporting import checkpoint as checkpoint
    from hpsearch.study.reporting import folder as folder
    from hpsearch.study.reporting import log as log
    from hpsearch.study.reporting import params as params
    from hpsearch.study.reporting import report as report
    from hpsearch.study.single import run_trial as run_trial

_HOMES = {
    "Silent": "hpsearch.progress.display",
    "run_study": "hpsearch.study.api",
    "run_search": "hpsearch.study.api",
    "run_trial": "hpsearch.study.single",
    "open_search": "hpsearch.study.outside",
    "replay": "hpsearch.study.api",
    "continue_trial": "hpsearch.study.continued",
    "curvature": "hpsearch.study.curvature",
    "compare": "hpsearch.study.api",
    "print_report": "hpsearch.study.printed",
    "export_tables": "hpsearch.study.printed",
    "draw": "hpsearch.study.api",
    "load_trials": "hpsearch.study.api",
    "load_curves": "hpsearch.study.api",
    "report": "hpsearch.study.reporting",
    "log": "hpsearch.study.reporting",
    "params": "hpsearch.study.reporting",
    "folder": "hpsearch.study.reporting",
    "checkpoint": "hpsearch.study.reporting",
    "Stop": "hpsearch.study.reporting",
    "Decision": "hpsearch.study.reporting",
    "Objective": "hpsearch.study.api",
}
__all__ = [
    "Decision",
    "Objective",
    "Silent",
    "Stop",
    "checkpoint",
    "compare",
    "continue_trial",
    "curvature",
    "draw",
    "export_tables",
    "folder",
    "load_curves",
    "load_trials",
    "log",
    "open_search",
    "params",
    "print_report",
    "replay",
    "report",
    "run_search",
    "run_study",
    "run_trial",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'hpsearch' has no attribute '{name}'")
    from importlib import import_module

    from hpsearch.base.uninterrupted import uninterrupted

    with uninterrupted():
        home = import_module(_HOMES[name])
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
