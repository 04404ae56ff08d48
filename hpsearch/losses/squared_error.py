"""Mean squared error, of numbers and of classes."""

from torch import Tensor, nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import check_values
from hpsearch.losses.hinge import class_scores
from hpsearch.losses.limits import SQUARED_ERROR
from hpsearch.losses.targets import class_shares

SOFTMAX, SIGMOID = "softmax", "sigmoid"


class SquaredError(nn.Module):
    """Mean squared error over samples and outputs: `torch.nn.MSELoss`, of classes that of their probabilities.

    Of classes, with the probabilities p that the softmax or the sigmoids make of the outputs, and y with 1 for the
    class and 0 for the others::

        1 / C  sum_c (p_c - y_c) ** 2

    (Brier, Monthly Weather Review 78(1), 1950, over C). A single output is the logit of class 1 of two:
    (p - y) ** 2. It is at most 2 / C, so no trial diverges by it. Its gradient has the factor p_c (1 - p_c), which
    cross-entropy has not: where the outputs are sure and wrong it is next to 0.

    A sample that mixing has blended is compared with the blend.

    Args:
        outputs: of classes, what makes probabilities of them: ``softmax`` or ``sigmoid``; None is ``softmax``. Numbers
            to predict are compared as they are.
    """

    def __init__(self, outputs: str | None = None) -> None:
        super().__init__()
        check_values("loss", SQUARED_ERROR, {"outputs": outputs})
        self.outputs = outputs

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        return (self._probabilities(outputs) - class_shares(outputs, y)).square().mean()

    def class_losses(self, outputs: Tensor) -> Tensor:
        """Return [B, classes] what the loss of each sample is if it is of class c."""
        p = self._probabilities(outputs)
        return (p.square().sum(1, keepdim=True) - 2 * p + 1) / p.shape[1]

    def _probabilities(self, outputs: Tensor) -> Tensor:
        """Return [B, classes]; of a single output the same by softmax and by sigmoid."""
        if outputs.shape[1] > 1 and self.outputs == SIGMOID:
            return outputs.sigmoid()
        return class_scores(outputs).softmax(1)

    def of_numbers(self) -> nn.MSELoss:
        """Return the loss of numbers to predict.

        Raises:
            ConfigError: something was chosen that only classes have.
        """
        if self.outputs is not None:
            raise ConfigError(f"loss.outputs = {self.outputs!r}: is for classes, the data has numbers to predict")
        return nn.MSELoss()
