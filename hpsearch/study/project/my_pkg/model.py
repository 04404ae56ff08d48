"""A model of my own: any module that takes the shape of an input and the number of outputs."""

import math

from torch import Tensor, nn


class MyNet(nn.Module):
    """Two layers with dropout between them.

    Args:
        in_shape: of one input, as (features,) or (channels, height, width); the data says.
        num_outputs: classes; of a regression, targets.
        width: of the hidden layer.
        dropout: share of its units that is left out in training.
    """

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), width), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, num_outputs] outputs."""
        outputs: Tensor = self.head(self.body(x))
        return outputs
