"""Proposing points: what ours adds to Optuna's samplers."""

import json
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.rng import address
from hpsearch.search.optuna_internals import all_trials, given_params, independent_sampler, is_inside
from hpsearch.search.space import Space

MAX_REDRAWS = 1000


@runtime_checkable
class SpaceAware(Protocol):
    """A sampler that is told the whole space before it is asked."""

    def bind(self, space: Space) -> None:
        """Take the space that all points are of."""
        ...


class QueueSampler(RandomSampler):
    """Explicit points, queued in the storage before anything is asked.

    A lost point is found again and none runs twice, which Optuna's own grid sampler cannot promise under ask and tell.

    Attributes:
        what: the points are called together.
    """

    what = "queue"

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return the points: Optuna's values by flat name. A space that has none raises a SpaceError."""
        raise NotImplementedError


class Grid(QueueSampler):
    """Every combination of the space.

    Args:
        points: values per interval: one number for all, or one per key; None when there is no interval.
        seed: unused by the grid itself.
    """

    what = "grid"

    def __init__(self, points: int | Mapping[str, int] | None = None, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.points = points

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return every combination, with intervals cut; an interval without `points` raises a SpaceError."""
        return space.grid(self.points)


class BruteForce(QueueSampler):
    """Every combination of a space without intervals."""

    what = "space"

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return every combination; an interval raises a SpaceError."""
        for parameter in space.parameters:
            if parameter.values is None:
                raise SpaceError(
                    f"sampler=brute_force cannot try every value of {parameter.key} = {parameter.expression}; "
                    "write choice(...) or range(...), or use sampler=grid"
                )
        return space.grid()


class Manual(QueueSampler):
    """Points that the user lists.

    Args:
        points: values by dotted key, one for every hyperparameter that is active at the point.
        seed: unused by the list itself.
    """

    what = "list"

    def __init__(self, points: Sequence[Mapping[str, Any]], seed: int | None = None) -> None:
        super().__init__(seed=seed)
        if not isinstance(points, list | tuple) or not points:
            raise ConfigError(f"sampler.points = {points!r}: must be a list of points, as [{{optimizer.lr: 0.1}}, ...]")
        self.points = points

    def cells(self, space: Space) -> list[dict[str, Any]]:
        """Return the points in the order of the list; one that is not of the space or is listed twice is refused."""
        cells: list[dict[str, Any]] = []
        for place, point in enumerate(self.points):
            where = f"sampler.points[{place}] = {point!r}"
            if not isinstance(point, Mapping):
                raise SpaceError(f"{where}: must give values by key, as {{optimizer.lr: 0.1}}")
            try:
                cell = space.cell(point)
            except SpaceError as error:
                raise SpaceError(f"{where}: {error}") from None
            if cell in cells:
                raise SpaceError(f"{where}: is the same as sampler.points[{cells.index(cell)}]")
            cells.append(cell)
        return cells


class Sobol(BaseSampler):
    """Evenly spread points: Sobol's sequence, scrambled.

    Point number i of a study is member i of one sequence that the seed alone decides, so a resumed study goes on in it
    and every 2^k points in a row from a multiple of 2^k are balanced. Sobol, USSR Computational Mathematics and
    Mathematical Physics 1967; scrambling after Matousek, Journal of Complexity 1998.

    Args:
        seed: of the scrambling.
    """

    base_seeded = True

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._space: Space | None = None
        self._engine: Any = None

    def bind(self, space: Space) -> None:
        """Take the space; its hyperparameters are the sequence's dimensions, in order."""
        from scipy.stats.qmc import Sobol as Engine

        self._space = space
        self._engine = Engine(len(space.parameters), scramble=True, rng=self._seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return the whole space."""
        return self._space.distributions() if self._space else {}

    def sample_relative(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the member of the sequence that has the trial's number."""
        if self._space is None:
            return {}
        shares = self._member(trial.number)
        return {p.name: p.from_unit(share) for p, share in zip(self._space.parameters, shares, strict=True)}

    def _member(self, number: int) -> list[float]:
        if number < self._engine.num_generated:
            self._engine.reset()
        if number > self._engine.num_generated:
            self._engine.fast_forward(number - self._engine.num_generated)
        member: list[float] = self._engine.random(1)[0].tolist()
        return member

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value for a hyperparameter outside the space."""
        sampler = RandomSampler(seed=address(self._seed or 0, param_name, trial.number) % 2**32)
        return sampler.sample_independent(study, trial, param_name, param_distribution)


class CmaEs(CmaEsSampler):
    """Optuna's CMA-ES, which knows an infeasible point by its score alone: it is told the worst."""

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass on, without the warning that constraints are not used."""
        independent_sampler(self).after_trial(study, trial, state, values)


class UniqueSampler(BaseSampler):
    """Another sampler's proposals, with one that was seen before replaced by a random unseen one.

    A sampler that fails at a point (a matrix that is singular, a value that is not a number) is replaced there in the
    same way.

    Args:
        inner: the sampler that proposes.
        space: the whole space, so that a proposal is known at once.
        seed: of the replacements.
        line: told when the inner sampler fails, once for every kind of failure.
    """

    def __init__(
        self, inner: BaseSampler, space: Space, seed: int, line: Callable[[str], None] = warnings.warn
    ) -> None:
        self.inner = inner
        self._space = space
        self._seed = seed
        self._line = line
        self._failures: set[str] = set()
        self._first: dict[str, int] = {}
        self._last = -1
        self._untried: Iterator[dict[str, Any]] | None = None
        if isinstance(inner, SpaceAware):
            inner.bind(space)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return the whole space."""
        return self._space.distributions()

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Return one proposal for the whole space."""
        given = given_params(trial)
        if self._space.is_complete(given):
            return self._space.draw(self._random(trial.number))
        self._note_others(study, trial.number)
        proposal = self._proposal(study, trial, search_space)
        if proposal is None or self._taken({**proposal, **given}, trial.number):
            proposal = self._random_new(given, trial.number)
        self._note({**proposal, **given}, trial.number)
        return proposal

    def _proposal(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any] | None:
        """Return what the inner sampler proposes, None where it fails."""
        try:
            proposal = self._propose(study, trial, space)
            for name, distribution in space.items():
                if not is_inside(distribution, proposal[name]):
                    raise ValueError(f"{name} = {proposal[name]!r} is outside {distribution}")
        except (ImportError, MemoryError):
            raise
        except Exception as error:
            self._report(f"sampler {type(self.inner).__name__} failed ({type(error).__name__}: {error})", trial.number)
            return None
        return proposal

    def _propose(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        relative = self.inner.sample_relative(study, trial, self.inner.infer_relative_search_space(study, trial))
        return {
            name: relative[name]
            if name in relative
            else self.inner.sample_independent(study, trial, name, distribution)
            for name, distribution in space.items()
        }

    def _report(self, failure: str, number: int) -> None:
        text = " ".join(failure.split())
        if text not in self._failures:
            self._failures.add(text)
            self._line(f"{text}; point {number} is drawn at random instead")

    def _random_new(self, given: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Return a random point that is new together with the values given; any one when there is none."""
        rng = self._random(number)
        for _ in range(MAX_REDRAWS):
            point = self._space.draw(rng)
            if not self._taken({**point, **given}, number):
                return point
        if not given and self._space.size() is not None:
            self._untried = self._untried or self._space.cells()
            point |= next((cell for cell in self._untried if not self._taken(cell, number)), {})
        return point

    def _random(self, number: int) -> random.Random:
        return random.Random(address(self._seed, "unseen", number))

    def _note_others(self, study: Study, number: int) -> None:
        """Note the points of trials that were not seen yet: numbers are dense, and a drawn point stays as it is."""
        if number == self._last + 1:
            self._last = number
            return
        trials = all_trials(study)
        drawn_so_far = True
        for other in trials[self._last + 1 :]:
            if other.number != number:
                point = given_params(other)
                drawn = other.state.is_finished() or self._space.is_complete(point)
                drawn_so_far = drawn_so_far and drawn
                if drawn:
                    self._note(point, other.number)
            if drawn_so_far:
                self._last = other.number

    def _note(self, point: Mapping[str, Any], number: int) -> None:
        self._first.setdefault(self._key(point), number)

    def _taken(self, point: Mapping[str, Any], number: int) -> bool:
        return self._first.get(self._key(point), number) != number

    def _key(self, flat: Mapping[str, Any]) -> str:
        return json.dumps(self._space.active(flat), sort_keys=True)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a value for a hyperparameter outside the proposal."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on."""
        self.inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Pass on."""
        self.inner.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Pass on."""
        self.inner.reseed_rng()


def seed_after(sampler: BaseSampler, seed: int, points: int) -> int:
    """Return the seed of a sampler for a study that holds so many points, so that a resumed one draws new ones.

    Args:
        sampler: of the class that is seeded; one with ``base_seeded`` finds its place in the study by itself.
        seed: the base seed.
        points: that the study holds.

    Returns:
        A seed below 2^32.
    """
    where = () if getattr(sampler, "base_seeded", False) else (points,)
    return address(seed, "sampler", *where) % 2**32


def check_sampler(sampler: BaseSampler, space: Space, objectives: int = 1) -> None:
    """Refuse what a sampler cannot search, before anything runs.

    Args:
        sampler: that will be asked.
        space: that will be searched.
        objectives: number of objectives.

    Raises:
        SpaceError: the space has points that the sampler cannot propose, or lacks those that it names.
        ConfigError: the sampler is for one objective only.
    """
    if isinstance(sampler, QueueSampler):
        sampler.cells(space)
    if isinstance(sampler, CmaEsSampler):
        if objectives > 1:
            raise ConfigError(f"sampler=cmaes searches one objective, not {objectives}; use tpe, gp or nsga2")
        numeric = [p for p in space.parameters if not isinstance(p.distribution, CategoricalDistribution)]
        searched = [p.key for p in numeric if not p.distribution.single()]
        if len(searched) < 2:
            found = f"only {searched[0]}" if searched else "none"
            raise SpaceError(
                f"sampler=cmaes needs two or more numeric hyperparameters (interval or range), and here is {found}; "
                "use tpe or gp"
            )
