"""What running trials of an open space are given where they ask for hyperparameters."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from hpsearch.base.errors import SpaceError, first_line
from hpsearch.base.types import Clock, Given, Query, TrialId, TrialSpec
from hpsearch.search.open_ask_tell import OpenAskTell
from hpsearch.search.open_point import Point
from hpsearch.search.suggested import SUGGESTED
from hpsearch.tracking.record import Record

MakeSpec: TypeAlias = Callable[[int, Mapping[str, Any], int, int], TrialSpec]


class Answers:
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

    def answer(self, trial: TrialId, query: Query) -> Given:
        """Return the value of a hyperparameter that a trial asks for; it is one of its point's from now on."""
        point, space = self._points[trial.point], self._study.space
        try:
            value = self._study.suggest(point.trial, query)
        except (SpaceError, ValueError) as error:
            return Given(error=f"trial.suggest: {query.name}: {first_line(error)}")
        if self._study.space is not space:
            self._record.study(SUGGESTED, self._clock(), space=self._study.space.to_dict())
        point.params = self._study.space.active(point.trial.params)
        return Given(value)

    def specified(self, spec: TrialSpec) -> TrialSpec:
        """Return a trial with all that its point was asked for so far."""
        point, trial = self._points[spec.id.point], spec.id
        return replace(self._make_spec(trial.point, point.params, trial.seed, trial.fold), attempt=spec.attempt)
