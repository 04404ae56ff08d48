"""The kinds of regularizers, by where they act in a step."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from hpsearch.base.limits import check_fields
from hpsearch.regularizers.limits import LIMITS

if TYPE_CHECKING:
    from torch import Tensor

    Named = Iterable[tuple[str, Tensor]]


class Regularizer:
    """What the options of ``conf/regularizer`` build: a `Penalty`, a `Constraint`, a `Mixing` or an early stopping.

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
