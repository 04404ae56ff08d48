"""The metrics that an objective names, held against what trials report."""

from collections.abc import Mapping

from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.outcome import incomplete, missing_metric
from hpsearch.base.types import Objective, Report, TrialResult, TrialState
from hpsearch.tracking.events import TrialRecord

NOTHING = "nothing was reported: the training ended before its first metric"


class WantedMetrics:
    """Tells a metric that comes late from one that never comes.

    Args:
        objective: what the search looks at.

    Attributes:
        seen: the names that trials have reported or measured.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self.seen: set[str] = set()

    def lacking(self, report: Report, known: TrialRecord) -> str:
        """Return what is to be said of the first report of a search, where it lacks a metric, or the empty string.

        Args:
            report: the first one; what is said of the untrained model may be less than others say.
            known: its trial.
        """
        missing = missing_metric(self._objective, report.metrics, known.facts)
        if missing is None or report.epoch == 0 or not report.metrics:
            return ""
        it = "" if missing.limit is None else f": '{missing.metric}'"
        return (
            f"{missing.setting}{it} is not in the first report{nearest(missing.metric, report.metrics)} "
            f"(it has {', '.join(sorted(report.metrics))}); a trial that ends without it is refused"
        )

    def whole(self, result: TrialResult, known: TrialRecord) -> TrialResult:
        """Return how an attempt ended: FAILED where it came to its end without a metric of the objective.

        Args:
            result: of the attempt.
            known: its trial.

        Raises:
            ConfigError: no trial has had that metric.
        """
        if result.state is not TrialState.COMPLETE:
            return result
        reported = {name for report in known.reports for name in report.metrics}
        if not reported:
            return incomplete(result, NOTHING)
        facts: Mapping[str, object] = {**known.facts, **result.facts}
        missing = missing_metric(self._objective, reported, facts)
        if missing is None:
            self.seen.update(facts)
            return result
        reason = missing.unreported(sorted(reported))
        if missing.metric not in self.seen:
            raise ConfigError(reason)
        return incomplete(result, reason)
