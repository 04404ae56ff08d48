"""What an ablation found: its arms, how they differ and how sure that is, what they cost, which claims they support."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpsearch.base.outcome import deviation_of, mean_of, rank_key
from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.reports.ablation.arms import Arm, Factor, ablation_options, arms_of, factors_of
from hpsearch.reports.ablation.claims import claims_of
from hpsearch.reports.ablation.claims.claim import Evidence, TestedClaim
from hpsearch.reports.ablation.comparisons import Difference, differences
from hpsearch.reports.ablation.costs import UNITS, Cost, costs_of
from hpsearch.reports.ablation.effects import Effects, effects_of
from hpsearch.reports.ablation.equal_training import EqualTraining, equal_training
from hpsearch.reports.ablation.fastest import TRAINING, Race, in_rounds, race
from hpsearch.reports.ablation.finals import Finals, finals_of
from hpsearch.reports.ablation.ranking import Rank, beaten_of, ranking_of
from hpsearch.reports.ablation.tuning import Nuisance, nuisance_of, searches_of, with_untrained
from hpsearch.reports.kit.evidence import StudyIntervals
from hpsearch.reports.kit.points import objective_of
from hpsearch.reports.kit.setup import took
from hpsearch.reports.kit.space import plain
from hpsearch.reports.kit.spent import spent_sec


@dataclass(frozen=True, slots=True)
class Ablation:
    """An ablation as numbers; everything that its report shows is in here.

    Attributes:
        name: of the study.
        question: what it asks.
        objective: what arms are compared by.
        factors: what is varied.
        arms: the cells of the grid, in the order of the space.
        reference: the arm that the others are compared with; None while there is no arm.
        nuisance: what is held or retuned.
        differences: every other arm minus the reference.
        effects: main effects and interactions.
        ranking: the arms with a score, the best first, which of them may be the best, and how sure that order is.
        target: value of the objective's metric whose cost is measured; None for none.
        costs: of every arm.
        finals: training, validation and test part at the final weights, in evaluation mode.
        equal: the arms at equal training accuracy; None where the training part was not evaluated along the training.
        races: by unit which arm needs the least, and which may need as little.
        rounds: whether the trials were made in rounds over all arms, so that their times can be compared.
        claims: what is known of batch size, momentum and learning rate, as far as these data can speak of it.
        states: trials by state.
        trial_sec: time of all trials of the arms added up.
        took: what it cost, with the search before it.
        table: the study of its arms.
        tuning: the study in which nuisance hyperparameters were retuned per arm; None where they were held.
    """

    name: str
    question: str
    objective: Objective
    factors: tuple[Factor, ...]
    arms: tuple[Arm, ...]
    reference: Arm | None
    nuisance: Nuisance
    differences: tuple[Difference, ...]
    effects: Effects
    ranking: tuple[Rank, ...]
    target: float | None
    costs: tuple[Cost, ...]
    finals: Finals
    equal: EqualTraining | None
    races: Mapping[str, Race]
    rounds: bool
    claims: tuple[TestedClaim, ...]
    states: Mapping[TrialState, int]
    trial_sec: float
    took: str
    table: TrialTable = field(repr=False, compare=False)
    tuning: TrialTable | None = field(repr=False, compare=False)

    @property
    def best(self) -> Arm | None:
        """The best arm of those whose every trial is COMPLETE, else of those with any; None where there is none.

        Where a trial of any arm trains, arms are left out of which one does not. The order is that of the points of
        every search, `hpsearch.base.outcome.rank_key`.
        """
        first = replace(self.objective, others=())
        trains = any(arm.trained for arm in self.arms)
        finished = [arm for arm in self.arms if arm.finished and not (trains and arm.lost)]
        whole = [arm for arm in finished if arm.state is TrialState.COMPLETE]
        return min(whole or finished, key=lambda arm: _rank_key(arm, first), default=None)

    @property
    def varied(self) -> list[Factor]:
        """The factors that have more than one value."""
        return [factor for factor in self.factors if factor.varies]


def _rank_key(arm: Arm, objective: Objective) -> tuple[float, ...]:
    values = arm.score.values
    return rank_key(objective, (mean_of(values),), deviation_of(values), arm.point)


def ablation_of(table: TrialTable, tuning: TrialTable | None = None) -> Ablation:
    """Compute what an ablation found.

    Args:
        table: the study of its arms, finished or not.
        tuning: the study in which nuisance hyperparameters were retuned per arm; None where they were held.

    Returns:
        The ablation.
    """
    options, objective = ablation_options(table.study), objective_of(table.study)
    factors = factors_of(table if tuning is None else tuning)
    arms = with_untrained(arms_of(table, factors), () if tuning is None else searches_of(tuning))
    reference = reference_of(arms, options.get("reference") or {})
    compared = () if reference is None else differences(arms, reference, objective)
    nuisance = nuisance_of(table, arms, tuning)
    target = options.get("target")
    finals = finals_of(table, arms, objective, reference)
    costs, effects = costs_of(table, arms, objective, target), effects_of(arms, factors)
    return Ablation(
        name=str((table.study.get("within") or {}).get("name") or table.name),
        question=str(table.study.get("question") or f"What did the ablation {table.name} find?"),
        objective=objective,
        factors=factors,
        arms=arms,
        reference=reference,
        nuisance=nuisance,
        differences=compared,
        effects=effects,
        ranking=ranking_of(arms, objective, StudyIntervals(table, objective).samples(), beaten_of(compared, reference)),
        target=target,
        costs=costs,
        finals=finals,
        equal=equal_training(table, arms, finals, reference),
        races={unit: race(arms, costs, unit, reference) for unit in (*(UNITS if target is not None else ()), TRAINING)},
        rounds=in_rounds(table, arms),
        claims=claims_of(Evidence(table, arms, costs, nuisance, objective)),
        states=Counter(TrialState(state) for state in table.trials["state"]),
        trial_sec=spent_sec(table.trials),
        took=took({"the arms": table} if tuning is None else {"the search": tuning, "the arms": table}),
        table=table,
        tuning=tuning,
    )


def reference_of(arms: Sequence[Arm], wanted: Mapping[str, Any]) -> Arm | None:
    """Return the first arm that has these levels; the first of all where nothing is wanted."""
    levels = {key: plain(value) for key, value in wanted.items()}
    return next((arm for arm in arms if all(arm.levels.get(key) == value for key, value in levels.items())), None)
