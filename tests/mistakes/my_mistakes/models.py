"""Models with one mistake each."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64


class Net(nn.Module):
    """The sound one: two layers."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class SoftmaxTwice(Net):
    """The loss takes the softmax of what is one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).softmax(1)


class SigmoidTwice(Net):
    """Binary cross-entropy takes the sigmoid of what is one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sigmoid()


class Frozen(Net):
    """A body frozen for an experiment, and never thawed."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__(in_shape, num_outputs)
        self.body.requires_grad_(False)


class Detached(Net):
    """The gradient stops in front of the head."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).detach())


class AlwaysDropping(Net):
    """`functional.dropout` does not know of evaluation unless it is told."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.dropout(self.body(x), 0.3))


class NeverEvaluates(Net):
    """Its normalization stays in training mode: the outputs of a sample depend on its batch."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__(in_shape, num_outputs)
        self.norm = nn.BatchNorm1d(WIDTH)

    def train(self, mode: bool = True) -> "NeverEvaluates":
        return super().train(True)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.body(x)))


class NormalizesTheBatch(Net):
    """It divides by the norm over the wrong axis."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.body(x)
        return self.head(hidden / hidden.norm(dim=0, keepdim=True).clamp_min(1e-6))


class OwnNoise(Net):
    """Its noise comes from a generator that nobody seeds."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__(in_shape, num_outputs)
        self.noise = np.random.default_rng()

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + 0.1 * torch.as_tensor(self.noise.normal(size=x.shape), dtype=x.dtype)
        return super().forward(x)


class HugeWeights(Net):
    """Weights a hundred times too large."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__(in_shape, num_outputs)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(100)


class Empty(nn.Module):
    """Nothing to train."""

    def __init__(self, in_shape: tuple[int, ...], num_outputs: int) -> None:
        super().__init__()
        self.num_outputs = num_outputs

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, : self.num_outputs]
