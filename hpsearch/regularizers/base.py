"""The kinds of regularizers, by where they act in a step."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hpsearch.base.limits import check_fields
from hpsearch.regularizers.limits import LIMITS

if TYPE_CHECKING:
    from torch import Tensor

    Named = Iterable[tuple[str, Tensor]]


class Regularizer:
    """What the options of ``conf/regularizer`` build: a `Penalty`, a `Constraint`, a `Mixing`, an `Averaging` or an
    early stopping.

    Attributes:
        option: its name there, for messages.
    """

    option: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Refuse what the table does not allow."""
        check_fields(f"regularizer.{self.option}", LIMITS, self)


class Penalty(Regularizer, ABC):
    """Something added to the loss."""

    @abstractmethod
    def penalty(self, named_parameters: "Named") -> "Tensor":
        """Return the 0-d penalty, to be added to the mean loss of a batch.

        Args:
            named_parameters: the trained parameters, as ``model.named_parameters()`` gives them; under
                `torch.func.vmap`, those of one member.
        """


class Constraint(Regularizer, ABC):
    """Something that moves parameters back into a set after each update."""

    @abstractmethod
    def apply_(self, named_parameters: "Named") -> None:
        """Change the parameters in place, without recording it.

        Args:
            named_parameters: the trained parameters.
        """


class Mixing(Regularizer, ABC):
    """Something that blends the samples of a batch and their targets."""

    @abstractmethod
    def mix(self, x: "Tensor", y: "Tensor", classes: int, seed: int, step: int) -> tuple["Tensor", "Tensor"]:
        """Return blended inputs and targets; what is drawn is a function of the seed and the step.

        Args:
            x: [B, ...] inputs.
            y: [B] class numbers, or [B, outputs] targets of a regression.
            classes: number of classes, not used in a regression.
            seed: the trial's seed.
            step: updates before this one.

        Returns:
            Inputs like `x`, and [B, classes] shares or [B, outputs] targets.
        """


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a training is.

    Attributes:
        steps_per_epoch: updates in one pass over the training part.
        steps: updates in all.
    """

    steps_per_epoch: int
    steps: int

    @property
    def epochs(self) -> int:
        """Passes, the last one perhaps cut short."""
        return -(-self.steps // self.steps_per_epoch)


class Averaging(Regularizer, ABC):
    """An average a of the weights w along the training, which is evaluated and kept in their place.

    After update t::

        a <- a + s_t (w_t - a)

    The first weights that are averaged are the average.
    """

    @abstractmethod
    def share(self, update: int, averaged: int, extent: Extent) -> float:
        """Return s_t, the share of the present weights in the average.

        Args:
            update: t, from 1.
            averaged: how often weights were averaged before.
            extent: of the training.

        Returns:
            A number in (0, 1]; 0 where the weights of this update are left out.
        """

    @abstractmethod
    def rule(self, extent: Extent) -> str:
        """Return how it averages, in a few words: equal ones are the same average.

        Args:
            extent: of the training.

        Raises:
            ConfigError: a training of this length is not averaged.
        """

    def rates(self, lr: "Tensor", extent: Extent) -> "Tensor":  # noqa: ARG002
        """Return the learning rates of a training whose weights are averaged; by default, as they are.

        Args:
            lr: [T] of every update, float64.
            extent: of the training.
        """
        return lr
