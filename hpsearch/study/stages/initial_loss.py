"""Second gate: the loss before any update is what a model without knowledge has."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import check_float, check_int
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import Fault, finding, shown


@dataclass(frozen=True, slots=True)
class InitialLoss:
    """Compares the first loss with that of outputs 0 and of the best constant output.

    Outputs of standard deviation s add about s² / 2 to the cross-entropy ln C of outputs 0, and s² to the variance of
    the targets under a mean squared error. A loss of classes that is not in nats (hinge, mean squared error of
    probabilities) may start as high as outputs of that deviation make it, in margins where it has one. Below the best
    constant output no model without knowledge can be, on average.

    Causes: batch norm on one sample, loss summed over the batch, softmax applied twice, loss not finite, initial
    outputs too large, units all alike, regularization lowers the loss; of a warning: targets not centred, loss too low.

    Args:
        samples: the mean is over batches of so many samples.
        excess: how far above the loss of outputs 0 a classification may start, in nats; of other losses what outputs of
            deviation sqrt(2 excess) cost.
        ratio: how many times the loss of outputs 0 or of the best constant a regression may start at.
        below: how far below the best constant's loss, relative to it, either may start.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Check the initial loss"
    question: ClassVar[str] = "Is the loss before any update that of knowing nothing?"

    samples: int = 1000
    excess: float = 1.5
    ratio: float = 4.0
    below: float = 0.1
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.initial_loss.samples", self.samples, 1)
        check_float("stages.initial_loss.excess", self.excess, "(0, inf)")
        check_float("stages.initial_loss.ratio", self.ratio, "(1, inf)")
        check_float("stages.initial_loss.below", self.below, "(0, 1]")

    def run(self, context: Context) -> Finding:
        """Measure the first loss."""
        found = context.measure(
            "initial_loss", context.config(), samples=self.samples, spread=math.sqrt(2 * self.excess)
        )
        faults = list(self._faults(found))
        numbers = {name: value for name, value in found.items() if isinstance(value, int | float)}
        return finding(faults, _sentence(found), numbers)

    def _faults(self, found: Mapping[str, Any]) -> Iterator[Fault]:
        if found["single"]:
            sentence = f"batch normalization ({shown(found['single'])}) is given one sample at a time"
            action = "choose data.batch_size above 1 so that no batch has one sample, or model.norm=layer"
            yield Fault("batch norm on one sample", sentence, action)
            return
        if not 0.5 < found["summed"] < 1.5:
            sentence = f"a batch repeated twice has {found['summed']:.2f} times its loss"
            yield Fault("loss summed over the batch", sentence, "choose a loss that is a mean over its samples")
            return
        if found["normalized"]:
            sentence = "the outputs are probabilities already, and the loss takes their softmax again"
            yield Fault("softmax applied twice", sentence, "let the model return what its softmax is given")
        if found["pretrained"]:
            return
        yield from self._size(found)
        if found["alike"]:
            sentence = f"the units of {shown(found['alike'])} are copies of one another, and so are their gradients"
            yield Fault("units all alike", sentence, "draw weights at random: init=he_normal or init=default")
        elif found["weights"] and not found["penalty"] > 0:
            sentence = f"regularization changes the loss by {found['penalty']:.3g}"
            yield Fault("regularization lowers the loss", sentence, "look at regularizer: a penalty must be positive")

    def _size(self, found: Mapping[str, Any]) -> Iterator[Fault]:
        loss, zero, guess = found["loss"], found["zero"], found["guess"]
        if not abs(loss) < float("inf"):
            yield Fault("loss not finite", f"the loss at the start is {loss}", "choose smaller weights: init=he_normal")
        elif loss > self._most(found):
            sentence = f"{_sentence(found)}, by more than {self._most(found) - zero:.3g}: outputs too large"
            action = "choose smaller weights at the start: init=he_normal, or a smaller init.std"
            yield Fault("initial outputs too large", sentence, action)
        elif loss < (1 - self.below) * guess:
            sentence = f"{_sentence(found)}: lower than knowing nothing allows"
            yield Fault("loss too low", sentence, "look for the targets among the inputs", Verdict.WARN)
        if found["task"] == "regression" and zero > self.ratio * guess:
            sentence = f"outputs 0 have {zero / guess:.1f} times the loss of the targets' mean"
            yield Fault("targets not centred", sentence, "set data.target_scaling=standardize", Verdict.WARN)

    def _most(self, found: Mapping[str, Any]) -> float:
        zero, loud = float(found["zero"]), found["loud"]
        if loud is not None:
            return float(loud)
        return zero + self.excess if found["task"] == "classification" else self.ratio * zero


def _sentence(found: Mapping[str, Any]) -> str:
    return (
        f"the loss at the start is {found['loss']:.4g}; outputs 0 have {found['zero']:.4g}, the best constant output "
        f"{found['guess']:.4g}"
    )
