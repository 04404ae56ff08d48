"""Objectives of Optuna: functions that are given a trial and ask it for their hyperparameters."""

import re
from collections.abc import Callable, Container
from typing import Any

from hpsearch.base import platform
from hpsearch.base.errors import ConfigError

TRIAL = "trial"
"""What the argument is called where no annotation says which one it is."""
_CLASSES = ("Trial", "BaseTrial", "FrozenTrial", "FixedTrial")
_WRITTEN = re.compile(rf"(optuna\.)?(trial\.)?({'|'.join(_CLASSES)})( *\| *None)?|Optional\[.*Trial\]")


def trial_argument(function: Callable[..., Any], given: Container[str] = ()) -> str | None:
    """Return the argument of a function that is an Optuna trial.

    Args:
        function: a user's own.
        given: names of arguments that it is given otherwise, searched ones too.

    Returns:
        The one that is annotated as a trial of Optuna, or else one that is called `TRIAL`, has neither annotation nor
        default and is not given; None for a function that is no objective of Optuna.

    Raises:
        ConfigError: several arguments are annotated so, or that argument is given.
    """
    parameters = platform.parameters(function)
    annotated = [name for name, each in parameters.items() if _is_trial(each.annotation)]
    if len(annotated) > 1:
        raise ConfigError(f"{' and '.join(annotated)} are both annotated as an Optuna trial: a function has one")
    if annotated and annotated[0] in given:
        raise ConfigError(f"{annotated[0]} is annotated as an Optuna trial: it cannot be searched or given")
    if annotated:
        return annotated[0]
    named = parameters.get(TRIAL)
    is_bare = named is not None and named.annotation is named.empty and named.default is named.empty
    return TRIAL if is_bare and TRIAL not in given else None


def _is_trial(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return _WRITTEN.fullmatch(annotation.strip()) is not None
    module, name = getattr(annotation, "__module__", None), getattr(annotation, "__qualname__", None)
    return str(module).partition(".")[0] == "optuna" and name in _CLASSES
