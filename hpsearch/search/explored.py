"""What of an open space was explored: the tree of what an objective suggested, value by value.

An objective that is given the same values suggests the same names. So a point is known as soon as it agrees with a
branch of the tree, whatever else it holds, and the space is used up once every branch has an end.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.outcome import INFEASIBLE
from hpsearch.search.suggested import count_of

PROPOSED = "proposed"
"""User attribute of an Optuna trial: what was proposed when it was asked, by flat name."""


@dataclass(slots=True)
class _Node:
    """What was suggested after the values on the way to here: a name, so many values of it, a branch for each tried.

    Attributes:
        name: None for an end.
        count: how many values there are; None without end.
        branches: by value.
        ended: whether a point that came to an end here has ended.
        running: what was proposed for the points that have come to here and run.
    """

    name: str | None = None
    count: int | None = None
    branches: dict[Hashable, "_Node"] = field(default_factory=dict)
    ended: bool = False
    running: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def used_up(self) -> bool:
        if self.name is None:
            return self.ended or bool(self.running)
        whole = self.count is not None and len(self.branches) >= self.count
        return whole and all(branch.used_up for branch in self.branches.values())


class Explored:
    """The tree of an Optuna study."""

    def __init__(self) -> None:
        self._root = _Node()
        self._at: dict[int, _Node] = {}

    def note(self, trial: FrozenTrial) -> None:
        """Take in what was suggested of a trial so far, and whether it has ended."""
        node = self._root
        for name, value in trial.params.items():
            if node.name is None:
                node.name, node.count, node.ended = name, count_of(trial.distributions[name]), False
            if node.name != name:  # an objective that does not do the same again
                break
            node = node.branches.setdefault(_place(value), _Node())
        self._leave(trial.number)
        if trial.state.is_finished():
            node.ended = node.name is None and (node is not self._root or _came_to_an_end(trial))
        else:
            node.running[trial.number] = trial.user_attrs.get(PROPOSED, {})
            self._at[trial.number] = node

    def _leave(self, number: int) -> None:
        if (before := self._at.pop(number, None)) is not None:
            del before.running[number]

    def is_new(self, point: Mapping[str, Any], number: int) -> bool:
        """Return whether no trial but that of this number is known to train a point, or to have trained it."""
        node = self._root
        while True:
            others = [each for other, each in node.running.items() if other != number]
            if node.ended or any(each.items() <= point.items() for each in others):
                return False
            if node.name is None or node.name not in point:
                return True
            branch = node.branches.get(_place(point[node.name]))
            if branch is None:
                return True
            node = branch

    @property
    def used_up(self) -> bool:
        """Whether every point has ended or runs; not known before something was suggested or has ended."""
        return (self._root.name is not None or self._root.ended) and self._root.used_up

    def note_others(self, study: Study, number: int) -> None:
        """Do nothing: trials are noted as they ask and end."""

    def note_point(self, point: Mapping[str, Any], number: int) -> None:
        """Do nothing: what was proposed is noted with its trial."""


def _came_to_an_end(trial: FrozenTrial) -> bool:
    """Return whether a trial did all that its objective does; one that failed may have done so before it suggested."""
    return trial.state is TrialState.COMPLETE and trial.constraints.get(INFEASIBLE, -1.0) <= 0


def _place(value: Any) -> Hashable:
    return (isinstance(value, bool), value)
