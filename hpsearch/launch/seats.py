"""Several batches trained by turns in one process: the part that every worker shares, and the inline launcher."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from hpsearch.base import current
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import Decision, Given, Shared, TrialId
from hpsearch.launch.batch import Events, TrialBatch
from hpsearch.launch.mailbox import Mailbox

Step: TypeAlias = tuple[TrialBatch, Events]
"""A batch that went on, and what came of it."""


@dataclass(eq=False, slots=True)
class _Seat:
    """Where a batch sits; `told` says whether it sent a message and has read no answer since."""

    batch: TrialBatch
    told: bool = False


class Seats:
    """The batches that a process trains by turns, in the order in which they came.

    In a turn every batch that can go on is advanced by one message, or to its end. One that waits for what it shares
    with others (see `Wait`) goes on when that is ready; only when none can go on, what is shared is advanced, each
    thing once. With `lockstep` those that have sent a message go on together, once all of them were answered.

    Args:
        lockstep: whether each message waits for an answer.
        mailbox: where the answers are.
        turn_to: called before the code of a batch runs; None: what runs is of several.
    """

    def __init__(
        self, lockstep: bool, mailbox: Mailbox, turn_to: Callable[[TrialBatch | None], None] = lambda _: None
    ) -> None:
        self._lockstep, self._mailbox, self._turn_to = lockstep, mailbox, turn_to
        self._seats: list[_Seat] = []

    @property
    def batches(self) -> list[TrialBatch]:
        """Those that have not ended."""
        return [seat.batch for seat in self._seats]

    @property
    def stand_still(self) -> bool:
        """Whether nothing goes on before something arrives: an answer, or a batch."""
        return all(seat.told for seat in self._seats) and not self._answered()

    def take(self, batch: TrialBatch) -> None:
        """Let a batch take its turns from now on."""
        self._seats.append(_Seat(batch))

    def leave(self, batch: TrialBatch) -> None:
        """Let a batch take no further turn."""
        self._seats = [seat for seat in self._seats if seat.batch is not batch]

    def turn(self) -> Iterator[Step]:
        """Let everything go on that can.

        Yields:
            Each batch as soon as it has sent a message or ended.
        """
        going = self._going()
        told = [trial for seat in going if seat.told and not seat.batch.asks for trial in seat.batch.ids]
        decisions = dict(zip(told, self._mailbox.take(told), strict=True))
        for seat in going:
            yield from self._advance(seat, self._read(seat, decisions))
        if not going:
            for shared, waiting in self._waiting():
                yield from self._advance_shared(shared, waiting)

    def _answered(self) -> list[_Seat]:
        """Return those that have read no answer, and may read it."""
        told = [seat for seat in self._seats if seat.told]
        if self._lockstep:
            return told if all(map(self._is_answered, told)) else []
        return [seat for seat in told if self._is_answered(seat)]

    def _is_answered(self, seat: _Seat) -> bool:
        if seat.batch.asks:
            return self._mailbox.answered(seat.batch.ids[0])
        return not self._lockstep or self._mailbox.complete(seat.batch.ids)

    def _going(self) -> list[_Seat]:
        answered = self._answered()
        return [seat for seat in self._seats if (seat in answered if seat.told else seat.batch.is_ready)]

    def _read(self, seat: _Seat, decisions: dict[TrialId, Decision]) -> tuple[Decision | Given, ...]:
        if seat.told and seat.batch.asks:
            return (self._mailbox.answer(seat.batch.ids[0]),)
        return tuple(decisions.get(trial, Decision.CONTINUE) for trial in seat.batch.ids)

    def _advance(self, seat: _Seat, decisions: tuple[Decision | Given, ...]) -> Iterator[Step]:
        self._turn_to(seat.batch)
        events = seat.batch.advance(decisions)
        seat.told = seat.batch.wait is None
        if seat.batch.ended:
            self.leave(seat.batch)
        if events:
            yield seat.batch, events

    def _waiting(self) -> list[tuple[Shared, list[_Seat]]]:
        """Return what is waited for, each with those that wait for it."""
        waiting: dict[int, tuple[Shared, list[_Seat]]] = {}
        for seat in self._seats:
            if wait := seat.batch.wait:
                waiting.setdefault(id(wait.on), (wait.on, []))[1].append(seat)
        return list(waiting.values())

    def _advance_shared(self, shared: Shared, waiting: list[_Seat]) -> Iterator[Step]:
        """Train what is shared; an error in it ends all that wait for it."""
        self._turn_to(None)
        try:
            shared.advance()
            if not any(seat.batch.is_ready for seat in waiting):
                raise HpsearchError(f"{type(shared).__name__} was advanced, and none of {len(waiting)} trials goes on")
        except BaseException as error:
            if current.process.stops_by(error):
                raise
            for batch in (seat.batch for seat in waiting):
                self._turn_to(batch)
                self.leave(batch)
                yield batch, batch.fail(error)
