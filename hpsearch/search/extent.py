"""How much of what there is to try a search has asked for, in words."""

from dataclasses import dataclass

from hpsearch.base.outcome import GIVEN_UP
from hpsearch.base.words import count


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of what there is to try was asked for.

    Attributes:
        noun: what one of the points to try is called: ``cell``.
        whole: what they are of: ``the grid``.
        cells: how many of them there are.
        asked: how many of them were asked for.
        further: how many points were asked for beside them.
        given_up: how many of all of these were given up by hand.
    """

    noun: str
    whole: str
    cells: int
    asked: int
    further: int = 0
    given_up: int = 0

    @property
    def so_far(self) -> str:
        """How far it came: ``60 of 72 cells of the grid and 1 further point``."""
        return f"{self.asked} of {self._cells}" if self._has_cells else self._cells

    @property
    def at_the_end(self) -> str:
        """What became of all of them: ``all 8 cells of the grid have ended, 1 of them given up by hand``."""
        every = f"{'the' if (self.cells or self.further) == 1 else 'all'} {self._cells}"
        one = self.cells + self.further == 1
        if self.given_up and one:
            return f"{every} was {GIVEN_UP}"
        if self.given_up:
            return f"{every} have ended, {self.given_up} of them {GIVEN_UP}"
        return f"{every} {'is' if one else 'are'} done"

    @property
    def _has_cells(self) -> bool:
        return self.cells > 0 or not self.further

    @property
    def _cells(self) -> str:
        if not self._has_cells:  # a list of nothing, and what was asked for first or by hand
            return count(self.further, self.noun)
        further = f" and {count(self.further, 'further point')}" if self.further else ""
        return f"{count(self.cells, self.noun)} of {self.whole}{further}"
