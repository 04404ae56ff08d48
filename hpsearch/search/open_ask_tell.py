"""The Optuna study of a search whose trials say themselves what is searched: define by run."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import SpaceError
from hpsearch.base.keys import ARGS
from hpsearch.base.outcome import PointOutcome
from hpsearch.base.rng import address
from hpsearch.base.types import Query
from hpsearch.base.widening import Widening
from hpsearch.base.words import count
from hpsearch.search.ask_tell import AskTell, suggest
from hpsearch.search.by_hand import shown
from hpsearch.search.explored import PROPOSED, Explored
from hpsearch.search.extension import Ranges
from hpsearch.search.optuna_internals import fixed_params, is_inside, reopened
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.space import Space
from hpsearch.search.suggested import keep_suggested, open_space, suggested_in, united

NOT_BY_HAND = "points of an objective of Optuna are not added by hand; give first=[{...}] to run_search"


class OpenAskTell(AskTell):
    """An Optuna study by ask, suggest and tell.

    A point is asked for with a proposal for every name that was suggested so far, as another sampler makes it for a
    space of these. It is stored, so that a search that was killed goes on with it. Of the point is what its trial
    suggests: a value of the proposal where it lies in the distribution that is suggested, else one at random.

    Args:
        study: as for `AskTell`.
        make_sampler: the same.
        ranges: the same; the space is open.
        seed: the same.
        line: the same.
    """

    def __init__(
        self,
        study: optuna.Study,
        make_sampler: Callable[[int], BaseSampler],
        ranges: Ranges,
        seed: int,
        line: Callable[[str], None],
    ) -> None:
        super().__init__(study, make_sampler, ranges, seed, line)
        self._suggested = suggested_in(study)
        self._explore()

    def _explore(self) -> None:
        self._explored = Explored()
        for trial in self.trials():
            if trial.state is not TrialState.WAITING:
                self._explored.note(trial)

    def regain(
        self, space: Space, untold: Collection[int], points: Mapping[int, FrozenTrial], widenings: Sequence[Widening]
    ) -> None:
        """Go on in a new Optuna study that holds points of which this one knows nothing; see `AskTell.regain`."""
        super().regain(space, untold, points, widenings)
        self._suggested = {parameter.name: parameter.distribution for parameter in space.parameters}
        keep_suggested(self.study, self._suggested)
        self._explore()

    def reseed(self) -> None:
        """Give the study a sampler that is seeded for the points it holds, and knows what was suggested so far."""
        inner = self._make_sampler(len(self.trials()))
        known = len(self._ranges.known)
        unique = UniqueSampler(inner, self.space, self._seed, self._line, known, tried=self._explored)
        self.study.sampler = _Suggesting(unique, self.space.distributions(), self._seed)

    def enqueue(self) -> bool:
        """Queue the points to try first that are not in the study; return whether there are such points."""
        there = [fixed_params(trial) for trial in self.trials()]
        for cell in self._ranges.known:
            if cell not in there:
                self.study.enqueue_trial(cell)
        return bool(self._ranges.known)

    def ask(self) -> optuna.Trial:
        """Return a new point, of which nothing was suggested yet."""
        self.asked += 1
        return self._proposed(self.study.ask())

    def add(self, params: Mapping[str, Any]) -> optuna.Trial:
        """Refuse: what is active at a point is known once its trial has run.

        Raises:
            SpaceError: always.
        """
        raise SpaceError(f"{shown(params)}: {NOT_BY_HAND}")

    def _proposed(self, trial: optuna.Trial) -> optuna.Trial:
        """Store what is proposed for a new point."""
        trial.set_user_attr(PROPOSED, trial.relative_params)
        self._note(trial)
        return trial

    def reopen(self, frozen: FrozenTrial) -> optuna.Trial:
        """Return a running point of the study as it is: the rest of it is suggested when it is asked for again."""
        return reopened(self.study, frozen)

    def suggest(self, trial: optuna.Trial, query: Query) -> Any:
        """Return the value of a hyperparameter of a point.

        Args:
            trial: the point.
            query: what it asks for.

        Returns:
            The value; a distribution that does not go together with an earlier one of the same name raises a
            ValueError, as in Optuna.

        Raises:
            SpaceError: the value that the point was given at its start is not in the distribution.
        """
        name, distribution = f"{ARGS}.{query.name}", json_to_distribution(query.distribution)
        self._grow(name, distribution)
        given = fixed_params(self._frozen(trial))
        if name in given and not is_inside(distribution, given[name]):
            raise SpaceError(f"{query.name} = {given[name]!r}, which is to be tried first, is not in {distribution}")
        suggest(trial, name, distribution)
        self._note(trial)
        return trial.params[name]

    def _grow(self, name: str, distribution: BaseDistribution) -> None:
        """Take a name into the space, or the values of one that are new."""
        known = self._suggested.get(name)
        whole = united(known, distribution)
        if whole != known:
            self._suggested[name] = whole
            keep_suggested(self.study, self._suggested)
            self.space = open_space(self._suggested)
            self.reseed()

    def _note(self, trial: optuna.Trial) -> None:
        self._explored.note(self._frozen(trial))

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self.trials()[trial.number]

    @property
    def size(self) -> int | None:
        """None: nobody knows how many points there are."""
        return None

    def why_used_up(self) -> str:
        """Return that every point of the space has been trained or is being trained, or the empty string."""
        return f"the space is used up: {count(self.asked, 'point')}" if self._explored.used_up else ""

    def tell(self, trial: optuna.Trial, outcome: PointOutcome) -> None:
        """Tell what a point has come to."""
        super().tell(trial, outcome)
        self._note(trial)

    def widen(self, best: Mapping[str, Any]) -> list[Widening]:  # noqa: ARG002
        """Widen nothing: the ranges are those that are suggested."""
        return []

    def _sort_out(self) -> None:
        """Do nothing: there is no queue."""


class _Suggesting(BaseSampler):
    """Suggests what was proposed for a point when it was asked, and what the proposal does not hold at random.

    Args:
        unique: proposes.
        known: what was suggested so far.
        seed: of what is drawn at random.
    """

    def __init__(self, unique: UniqueSampler, known: Mapping[str, BaseDistribution], seed: int) -> None:
        self._unique, self._known, self._seed = unique, dict(known), seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return what was suggested so far."""
        return self._known

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return what was proposed for a point, once for each."""
        stored: dict[str, Any] | None = trial.user_attrs.get(PROPOSED)
        return self._unique.sample_relative(study, trial, search_space) if stored is None else stored

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a random value, the same for the same point and name."""
        drawn = RandomSampler(seed=address(self._seed, param_name, trial.number) % 2**32)
        return drawn.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on."""
        self._unique.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Pass on."""
        self._unique.after_trial(study, trial, state, values)
