"""A claim about training: what is claimed, how it is held against an ablation, how the result is drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hpsearch.base.keys import HELD
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.costs import Cost
from hpsearch.reports.ablation.tuning import ArmSearch, Nuisance
from hpsearch.reports.kit.canvas import Drawn

BATCH, MOMENTUM, RATE = "data.batch_size", "optimizer.momentum", "optimizer.lr"


class ClaimVerdict(StrEnum):
    """What data say of a claim."""

    SUPPORTED = "supported"
    AGAINST = "not supported"
    UNDECIDED = "undecided on this data"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What claims are held against.

    Attributes:
        table: the study of the arms.
        arms: the arms.
        costs: theirs, in the same order.
        nuisance: what was held or retuned, and the searches.
        objective: what arms are compared by.
    """

    table: TrialTable
    arms: Sequence[Arm]
    costs: Sequence[Cost]
    nuisance: Nuisance
    objective: Objective

    @property
    def pairs(self) -> list[tuple[Arm, Cost]]:
        """Every arm with what it cost."""
        return list(zip(self.arms, self.costs, strict=True))

    @property
    def searches(self) -> Sequence[ArmSearch]:
        """The searches of the arms for what was retuned for each."""
        return () if self.nuisance.mode == HELD else self.nuisance.searches

    @property
    def no_best_rates(self) -> str:
        """Why no best rates are known; empty where they are."""
        if self.nuisance.mode == HELD:
            return "the rate was held, not retuned (ablation.nuisance=retuned)"
        if not self.nuisance.searches:
            return "the search for the rate of every arm is not at hand"
        if not any(RATE in setting.params for search in self.nuisance.searches for setting in search.tried):
            return "the rate is not among what was retuned"
        return ""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What data say of a claim.

    Attributes:
        verdict: whether they support it.
        sentence: why, with the numbers; where it cannot be tested, what is missing.
        numbers: the evidence, by name; ends of 95 % intervals are named ``..._low`` and ``..._high``.
        series: what is drawn of it; empty where it cannot be tested.
    """

    verdict: ClaimVerdict
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: its statement, its test and its figure.

    Attributes:
        number: by which it is called.
        statement: what is claimed, in one sentence.
        factor: key of the factor without which an ablation cannot speak of it; None where any can.
        test: holds it against the evidence; None where the evidence says nothing of it.
        figure: draws the results of all claims that have something to draw, by number, this one's among them; None
            where there is nothing to draw, or another claim draws both.
    """

    number: int
    statement: str
    factor: str | None
    test: Callable[[Evidence], ClaimResult | None]
    figure: Callable[[Mapping[int, ClaimResult]], Drawn | None] | None = None


@dataclass(frozen=True, slots=True)
class TestedClaim:
    """A claim with what an ablation says of it."""

    __test__ = False  # no test case, though pytest would take it for one

    claim: Claim
    result: ClaimResult


def untested(why: str) -> ClaimResult:
    """Return the result of a claim whose evidence is missing."""
    return ClaimResult(ClaimVerdict.UNDECIDED, why)
