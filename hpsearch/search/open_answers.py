"""What running trials of an open space are given where they ask for hyperparameters."""

from collections.abc import Mapping
from dataclasses import replace

from hpsearch.base.errors import SpaceError, first_line
from hpsearch.base.types import Clock, Given, MakeSpec, Query
from hpsearch.search.answers import Answers, unknown
from hpsearch.search.live import Live
from hpsearch.search.open_ask_tell import OpenAskTell
from hpsearch.search.open_point import Point
from hpsearch.search.suggested import SUGGESTED
from hpsearch.tracking.record import Record


class OpenAnswers(Answers):
    """Gives trials what they ask for, by point: all trials of one are given the same.

    Args:
        points: the open ones by number.
        study: where points are asked.
        record: of the study; it says what was suggested so far.
        make_spec: (point, params, seed, fold) -> TrialSpec.
        clock: seconds since the Unix epoch.
    """

    def __init__(
        self, points: Mapping[int, Point], study: OpenAskTell, record: Record, make_spec: MakeSpec, clock: Clock
    ) -> None:
        self._points, self._study, self._record = points, study, record
        self._make_spec, self._clock = make_spec, clock

    def _given(self, live: Live, query: Query) -> Given:
        """Return a value, which is one of the point's from now on; of a point that was told there is none."""
        if live.spec.id.point not in self._points:
            return Given(error=unknown(query.name))
        point, space = self._points[live.spec.id.point], self._study.space
        live.asked = True
        try:
            value = self._study.suggest(point.trial, query)
        except (SpaceError, ValueError) as error:
            return Given(error=f"trial.suggest: {query.name}: {first_line(error)}")
        if self._study.space is not space:
            self._record.study(SUGGESTED, self._clock(), space=self._study.space.to_dict())
        point.params = self._study.space.active(point.trial.params)
        return Given(value)

    def specify(self, live: Live) -> None:
        """Record what a trial, and so its point, was asked for so far."""
        if not live.asked or live.spec.id.point not in self._points:
            return
        trial, params = live.spec.id, self._points[live.spec.id.point].params
        made = self._make_spec(trial.point, params, trial.seed, trial.fold)
        live.spec, live.asked = replace(made, attempt=live.spec.attempt), False
        self._record.respecify(live.spec)
