"""The Optuna study of a search: which points it is asked for, in which ranges, and what it is told."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIIISampler, NSGAIISampler, RandomSampler
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.base.errors import HpsearchError
from hpsearch.base.outcome import PointOutcome
from hpsearch.base.types import TrialState
from hpsearch.base.widening import Widening
from hpsearch.base.words import count
from hpsearch.search.by_hand import SKIPPED, added
from hpsearch.search.extension import Ranges, copied, is_proven, widened, withdrawn
from hpsearch.search.extent import Extent
from hpsearch.search.optuna_internals import given_params, reopened
from hpsearch.search.prior import Prior
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import QueueSampler
from hpsearch.search.space import Space

WIDENED_AT = "widened_at"
"""User attribute of an Optuna study: the number of points that were asked before its ranges were widened."""
UNPROVEN = "unproven"
"""User attribute of an Optuna study: widenings beyond whose old end no point has trained yet."""
FIXED_ENDS = "fixed_ends"
"""User attribute of an Optuna study: names and sides of ranges that a widening was taken back of."""
SEARCHED_SEC = "seconds"
"""User attribute of an Optuna study: the time that drivers have searched."""


class AskTell:
    """An Optuna study by ask and tell.

    Args:
        study: as it was opened.
        make_sampler: (points asked so far) -> the sampler; what it proposes is never a point that was seen before.
        ranges: what is searched.
        seed: of the points that replace proposals seen before.
        line: told when a sampler fails.

    Attributes:
        name: of the search.
        study: the present Optuna study: a widening of the ranges makes a new one.
        space: the present ranges.
        asked: points asked so far.
        has_generations: whether the sampler keeps generations in the Optuna study, which no record holds.
    """

    def __init__(
        self,
        study: optuna.Study,
        make_sampler: Callable[[int], BaseSampler],
        ranges: Ranges,
        seed: int,
        line: Callable[[str], None],
    ) -> None:
        self.name = study.study_name.partition("+")[0]
        self.space = ranges.space
        self.asked = 0
        self._make_sampler = make_sampler
        self._ranges = ranges
        self._seed = seed
        self._line = line
        self._use(study)
        sampler = make_sampler(len(self.trials()))
        self.has_generations = isinstance(sampler, CmaEsSampler | NSGAIISampler | NSGAIIISampler)
        self._queue = sampler if isinstance(sampler, QueueSampler) else None
        self._queued: frozenset[Any] = frozenset()
        self._cells: int | None = None
        self._further: frozenset[int] = frozenset()
        self._again: frozenset[int] = frozenset()

    def trials(self) -> list[FrozenTrial]:
        """Return every point, queued ones too."""
        return self.study.get_trials(deepcopy=False)

    def _use(self, study: optuna.Study) -> None:
        """Search in a study from now on."""
        self.study = study
        self.study.sampler = UniqueSampler(RandomSampler(seed=0), self.space, self._seed)  # for points half drawn
        self._widened_at = int(study.user_attrs.get(WIDENED_AT, 0))
        self._unproven = [Widening.of(fields) for fields in study.user_attrs.get(UNPROVEN, ())]
        self._fixed_ends = [tuple(each) for each in study.user_attrs.get(FIXED_ENDS, ())]
        self._widens_nothing: Mapping[str, Any] | None = None

    def reseed(self) -> None:
        """Give the study a sampler that is seeded for the points it holds."""
        sampler = self._make_sampler(len(self.trials()))
        prior = Prior(self._ranges.prior, self.space) if self._ranges.prior else None
        known = len(self._ranges.known)
        self.study.sampler = UniqueSampler(sampler, self.space, self._seed, self._line, known, prior)

    def enqueue(self) -> bool:
        """Queue the points to try first, and those of a grid or a list, that are not in the study.

        Returns:
            Whether there are such points.
        """
        cells = self.cells()
        self._queued = frozenset(map(self.space.key, cells[len(self._ranges.known) :]))
        there = {self.space.key(given_params(trial)) for trial in self.trials()}
        for cell in cells:
            key = self.space.key(cell)
            if key not in there:
                there.add(key)
                self.study.enqueue_trial(cell)
        self._sort_out()
        return bool(cells)

    def cells(self) -> list[dict[str, Any]]:
        """Return the points to try first, then those of a grid or a list: Optuna's values by flat name."""
        return [*self._ranges.known, *(self._queue.cells(self.space) if self._queue is not None else [])]

    def _sort_out(self) -> None:
        """Tell the points that are cells of the queue from further ones, and those given up that were added again."""
        keys = {trial.number: self.space.key(given_params(trial)) for trial in self.trials()}
        last = {key: number for number, key in keys.items()}
        self._again = frozenset(
            each.number
            for each in self.trials()
            if SKIPPED in each.user_attrs and last[keys[each.number]] > each.number
        )
        if self._queue is not None:
            self._cells = len(keys)
            self._further = frozenset(
                number for number in keys.keys() - self._again if keys[number] not in self._queued
            )

    def ask(self) -> optuna.Trial:
        """Return a new point."""
        self.asked += 1
        return self.study.ask(self.space.distributions())

    def add(self, params: Mapping[str, Any]) -> optuna.Trial:
        """Return a new point that a user gives, whatever the sampler would propose; see `added`."""
        frozen = added(self.study, self.space, params)
        self.asked += 1
        self._sort_out()
        return self.reopen(frozen)

    def reopen(self, frozen: FrozenTrial) -> optuna.Trial:
        """Return a running point of the study as one that was asked just now."""
        trial = reopened(self.study, frozen)
        for name, distribution in self.space.distributions().items():
            suggest(trial, name, distribution)
        return trial

    def run_again(self, points: Collection[int]) -> None:
        """Take back what was told of points, in a new Optuna study in which they are running."""
        self._use(copied(self.study, self.name, self.space, untold=points))

    def regain(
        self, space: Space, untold: Collection[int], points: Mapping[int, FrozenTrial], widenings: Sequence[Widening]
    ) -> None:
        """Go on in a new Optuna study that holds points of which this one knows nothing.

        Args:
            space: the present ranges.
            untold: numbers of points that are to be told again.
            points: by number, each running; they take the place of those of this study, or stand behind them.
            widenings: of the ranges, and what was taken back of them, in their order.
        """
        wider = space != self.space
        self.space = space
        study = copied(self.study, self.name, space, untold, instead=points)
        if wider:
            last = {(each.name, each.side): each for each in widenings}
            study.set_user_attr(WIDENED_AT, len(self.trials()))
            study.set_user_attr(UNPROVEN, [asdict(each) for each in widenings if not last[each.name, each.side].failed])
            study.set_user_attr(FIXED_ENDS, [list(end) for end, each in last.items() if each.failed])
        self._use(study)

    @property
    def size(self) -> int | None:
        """How many points there are to ask for, None when they are without end."""
        if self._cells is not None:
            return self._cells
        size = self.space.size()
        return None if size is None else size + len(self._again)

    def why_used_up(self) -> str:
        """Return why there is no further point to ask for, or the empty string."""
        size = self.size
        return "" if size is None or self.asked < size else self._extent(size).at_the_end

    @property
    def extent(self) -> str:
        """How many points were asked: ``60 of 72 cells of the grid``, ``60 points`` where there is no end of them."""
        size = self.size
        return count(self.asked, "point") if size is None else self._extent(size).so_far

    def _extent(self, size: int) -> Extent:
        asked = {each.number: each for each in self.trials() if each.state is not OptunaState.WAITING}
        cells, further = asked.keys() - self._again - self._further, asked.keys() & self._further
        return Extent(
            noun="point" if self._queue is None else self._queue.noun,
            whole="the space" if self._queue is None else self._queue.whole,
            cells=size - len(self._again) - len(self._further),
            asked=len(cells),
            further=len(further),
            given_up=sum(SKIPPED in asked[number].user_attrs for number in cells | further),
        )

    def tell(self, trial: optuna.Trial, outcome: PointOutcome) -> None:
        """Tell what a point has come to."""
        if not trial.constraints:  # stored already by a driver that was killed before it told
            for name, value in outcome.constraints.items():
                trial.set_constraint(name, value)
        if outcome.values is not None:
            self.study.tell(trial, outcome.values)
        else:
            pruned = outcome.state is TrialState.PRUNED
            self.study.tell(trial, state=OptunaState.PRUNED if pruned else OptunaState.FAIL)

    def widen(self, best: Mapping[str, Any]) -> list[Widening]:
        """Widen the ranges at whose edge the best point lies, in a new Optuna study that holds all points so far.

        Args:
            best: the best point's hyperparameters by dotted key.

        Returns:
            What was widened; if anything, then open points are to be opened again and the sampler is to be seeded.
        """
        extension = self._ranges.extension
        if self._queue is not None or extension is None or best == self._widens_nothing:
            return []
        if self.asked - self._widened_at < extension.after:
            return []
        found = extension.widenings(self.space, self._ranges, best)
        widenings = [each for each in found if (each.name, each.side) not in self._fixed_ends]
        if widenings:
            self._search_in(widened(self.space, widenings), [*self._unproven, *widenings])
        else:
            self._widens_nothing = dict(best)
        return widenings

    def take_back(self) -> list[Widening]:
        """Take back widenings that brought only failures, in a new Optuna study; these sides stay where they were.

        Returns:
            What was taken back; if anything, then open points are to be opened again and the sampler is to be seeded.
        """
        if not self._unproven:
            return []
        trials = self.trials()
        unproven = [each for each in self._unproven if not is_proven(each, self.space, trials)]
        back = [way for each in unproven if (way := withdrawn(each, self.space, trials)) is not None]
        if back:
            self._fixed_ends += [(each.name, each.side) for each in back]
            ends = {(each.name, each.side): each for each in reversed(back)}
            back = list(ends.values())
            self._search_in(
                widened(self.space, back), [each for each in unproven if (each.name, each.side) not in ends]
            )
        elif len(unproven) < len(self._unproven):
            self._unproven = unproven
            self.study.set_user_attr(UNPROVEN, [asdict(each) for each in unproven])
        return back

    def _search_in(self, space: Space, unproven: list[Widening]) -> None:
        """Go on in a new Optuna study, in other ranges."""
        self.space = space
        study = copied(self.study, self.name, space)
        study.set_user_attr(WIDENED_AT, self.asked)
        study.set_user_attr(UNPROVEN, [asdict(each) for each in unproven])
        study.set_user_attr(FIXED_ENDS, [list(each) for each in self._fixed_ends])
        self._use(study)


def suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> None:
    """Let an Optuna trial suggest a value.

    Args:
        trial: that is running.
        name: flat name.
        distribution: of floats, whole numbers or categories.

    Raises:
        HpsearchError: it is of another kind.
    """
    match distribution:
        case FloatDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_float(name, low, high, step=step, log=log)
        case IntDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_int(name, low, high, step=step, log=log)
        case CategoricalDistribution(choices=choices):
            trial.suggest_categorical(name, choices)
        case _:
            raise HpsearchError(f"{name}: a {type(distribution).__name__} cannot be searched")
