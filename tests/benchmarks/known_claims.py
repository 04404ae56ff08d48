"""Evidence for and against the claims about training, of which it is known whether they are right."""

import numpy as np
import pandas as pd

from hpsearch.base.types import TrialTable
from tests.benchmarks.check_claims import NULLS, TRUTHS
from tests.benchmarks.known_truth import Drawn, Truth


def evidence_for(number: int, *, right: bool):
    """Draw one of the kinds of evidence in which a claim is right, or wrong.

    Args:
        number: of the claim.
        right: whether it is.
    """
    kinds = (TRUTHS if right else NULLS)[number]

    def draw(rng: np.random.Generator) -> Drawn:
        _, make, given = kinds[int(rng.integers(len(kinds)))]
        found = make(rng, *given)
        truth = Truth((), (), (), maximize=True, sd=1.0, facts={"claims": {number: right}})
        none = pd.DataFrame()
        table = TrialTable(f"claim {number}", {}, none, none, none)
        return Drawn("claims", (table,), (truth,), evidence=found)

    return draw


CLAIMED = {
    f"claim {number}, {'right' if right else 'wrong'}": evidence_for(number, right=right)
    for number in NULLS
    for right in (False, True)
}
"""Studies by name."""
