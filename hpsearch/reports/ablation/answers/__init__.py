"""What an ablation says of each question that an assignment asks: one file per subject, and here their order."""

from collections.abc import Callable, Iterator

from hpsearch.reports.ablation.answers.accuracy import accuracy, equal_training, final_weights, generalization, tested
from hpsearch.reports.ablation.answers.effects import effects
from hpsearch.reports.ablation.answers.rates import rates
from hpsearch.reports.ablation.answers.size import parameters
from hpsearch.reports.ablation.answers.speed import best_epoch, fastest, target, time
from hpsearch.reports.ablation.answers.texts import Answer
from hpsearch.reports.ablation.numbers import Ablation

ANSWERS: tuple[Callable[[Ablation], Iterator[Answer]], ...] = (
    accuracy,
    effects,
    fastest,
    final_weights,
    tested,
    generalization,
    equal_training,
    target,
    best_epoch,
    time,
    rates,
    parameters,
)
"""What yields answers, none where nothing is known of the question."""

TITLE = "Answers"
AID = (
    "One paragraph that can be handed in. In brackets: 95 % intervals over the seeds, each for one comparison, and "
    "what is shown at 5 % after Holm's adjustment for all arms (“may be equal” is what these seeds do not show)."
)


def answers_of(found: Ablation) -> list[Answer]:
    """Return what an ablation says of each question, in the order to read it.

    Args:
        found: the ablation.
    """
    return [answer for say in ANSWERS for answer in say(found)]
