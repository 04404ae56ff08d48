"""A model of one's own: any module that takes the shape of an input and the number of outputs."""

import math

from torch import Tensor, nn


class MyNet(nn.Module):
    """Two layers with an ordinary dropout between them."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int, width: int = 16, dropout: float = 0.2) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), width), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))
