"""LightGBM: `ReportCallback` for the callbacks of `train` and of its scikit-learn classes."""

from typing import Any

from lightgbm.callback import EarlyStopException

from hpsearch.callbacks.reporting import Reporter


class ReportCallback:
    """Reports each boosting round, as an epoch, by the names of evaluation set and metric: ``valid/binary_logloss``.

    When the trial is to end, boosting is ended as LightGBM's own early stopping does it, by an exception that `train`
    catches. A trial that was cut off starts again.

    Example:
        ``lightgbm.train(params, data, valid_sets=[valid], valid_names=["valid"], callbacks=[ReportCallback()])``
    """

    order = 40
    """After LightGBM's own callbacks, which are 10 to 30."""
    before_iteration = False

    def __init__(self) -> None:
        self._say = Reporter()

    def __call__(self, env: Any) -> None:
        """Report a round, which LightGBM counts from 0.

        Raises:
            EarlyStopException: the trial is to end; LightGBM catches it.
        """
        results = env.evaluation_result_list or ()
        if self._say({f"{data}/{metric}": value for data, metric, value, *_ in results}, env.iteration + 1):
            raise EarlyStopException(env.iteration, results)
