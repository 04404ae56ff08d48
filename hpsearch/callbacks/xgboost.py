"""XGBoost: `ReportCallback` for the callbacks of `train` and of its scikit-learn classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from xgboost.callback import TrainingCallback

from hpsearch.callbacks.reporting import Reporter


class ReportCallback(TrainingCallback):
    """Reports each boosting round, as an epoch, by the names of evaluation set and metric: ``validation_0/logloss``.

    When the trial is to end, boosting is. A trial that was cut off starts again.

    Example:
        ``xgboost.train(params, data, evals=[(valid, "valid")], callbacks=[ReportCallback()])``
    """

    def __init__(self) -> None:
        self._say = Reporter()

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:  # noqa: ARG002
        """Report a round, which XGBoost counts from 0; return whether it is the last one."""
        last = {f"{data}/{metric}": values[-1] for data, each in evals_log.items() for metric, values in each.items()}
        means = {name: value[0] if isinstance(value, tuple) else value for name, value in last.items()}  # of `cv`
        return self._say(means, epoch + 1)
