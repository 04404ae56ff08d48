"""What running trials are given where they ask for hyperparameters."""

from collections.abc import Callable

from hpsearch.base.types import Decision, Given, Query, TrialId
from hpsearch.search.live import Live


class Answers:
    """What trials of a pool ask for that have been given all beforehand: nothing."""

    def answer(self, live: Live, query: Query, give: Callable[[TrialId, Given], None]) -> None:
        """Give a trial what it asks for, unless it was told to stop.

        Args:
            live: the trial.
            query: what it asks for.
            give: brings it there.
        """
        if live.decision is not Decision.STOP:
            give(live.spec.id, self._given(live, query))

    def specify(self, live: Live) -> None:
        """Record what a trial has asked for, before what came of it."""

    def _given(self, live: Live, query: Query) -> Given:  # noqa: ARG002
        return Given(error=unknown(query.name))


def unknown(name: str) -> str:
    """Return what is said where a hyperparameter is asked for that is neither searched nor given."""
    return (
        f"trial.suggest: {name}: is neither searched nor given: name it in space or in arguments; without any space "
        "all that the objective suggests is searched"
    )
