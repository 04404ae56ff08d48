"""Which of the claims about batch size, momentum and learning rate an ablation can speak of, and what it says."""

from collections.abc import Sequence

from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm
from hpsearch.reports.ablation.batch_claims import critical_batch_size, updates_to_target
from hpsearch.reports.ablation.claim import BATCH, MOMENTUM, RATE, UNDECIDED, Claim
from hpsearch.reports.ablation.costs import Cost
from hpsearch.reports.ablation.epoch_claims import loss_before_accuracy, time_per_epoch
from hpsearch.reports.ablation.rate_claims import edge_of_stability, effective_rate, noise_scale
from hpsearch.reports.ablation.tuning import HELD, RETUNED, Nuisance


def claims_of(
    table: TrialTable, arms: Sequence[Arm], costs: Sequence[Cost], nuisance: Nuisance, objective: Objective
) -> tuple[Claim, ...]:
    """Hold the claims that a study can speak of against its data.

    Args:
        table: the study of the arms.
        arms: the arms.
        costs: theirs, in the same order.
        nuisance: what was held or retuned, and the searches.
        objective: what arms are compared by.

    Returns:
        One record per claim that the factors speak of, by number: 1 and 2 of a momentum, 3 to 6 of a batch size, 7 of
        any where loss and accuracy were recorded. One whose evidence is missing is undecided, and says what is missing.
    """
    factors = {key for arm in arms for key in arm.levels}
    unsearched, tuned = _unsearched(nuisance), nuisance.tuned
    found: list[Claim | None] = []
    if MOMENTUM in factors and unsearched:
        found += [Claim(number, UNDECIDED, unsearched) for number in (1, 2)]
    elif MOMENTUM in factors:
        found += [effective_rate(tuned, arms, objective), edge_of_stability(tuned, arms, objective)]
    if BATCH in factors:
        found += [
            Claim(3, UNDECIDED, unsearched) if unsearched else noise_scale(tuned, objective),
            updates_to_target(arms, costs, objective, _unfair(table, nuisance)),
            critical_batch_size(arms, costs),
            time_per_epoch(arms, costs),
        ]
    found.append(loss_before_accuracy(table, arms))
    return tuple(claim for claim in found if claim is not None)


def _unsearched(nuisance: Nuisance) -> str:
    """Return why no best rates are known; empty where they are."""
    if nuisance.mode == HELD:
        return "the rate was held, not retuned (ablation.nuisance=retuned)"
    if not nuisance.tuned:
        return "the search for the rate of every arm is not at hand"
    if not any(RATE in tried.params for tuned in nuisance.tuned for tried in tuned.tried):
        return "the rate is not among what was retuned"
    return ""


def _unfair(table: TrialTable, nuisance: Nuisance) -> str:
    """Return why a large batch may score less for another reason than its size; empty where nothing else differs."""
    if nuisance.mode != RETUNED:
        return "nothing was retuned"
    if not (table.study["config"].get("trainer") or {}).get("steps"):
        return "at equal epochs it makes fewer updates"
    if any(tuned.at_edge for tuned in nuisance.tuned):
        return "some best nuisance values lie at the edge of what was tried"
    return ""
