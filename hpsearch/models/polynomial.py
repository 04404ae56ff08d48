"""Polynomial regression."""

import math
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_choice, check_int

MAX_TERMS = 100_000


class PolynomialRegression(nn.Module):
    """A linear layer on the powers of each input, or on all their products, up to a degree.

    For inputs x_1 ... x_F the outputs are ``b + sum_t w_t t`` over the terms ``x_f^d``, 1 <= d <= degree; with
    interactions over all products of at most `degree` inputs, of which there are (F + degree choose degree) - 1.

    Args:
        in_shape: shape of one input.
        num_outputs: number of targets or classes.
        degree: of the polynomial; 1 is linear regression.
        interactions: whether products of different inputs are terms too.

    Raises:
        ConfigError: for interactions of more terms than `MAX_TERMS`.
    """

    def __init__(
        self, in_shape: tuple[int, ...], num_outputs: int, degree: int = 2, interactions: bool = False
    ) -> None:
        super().__init__()
        check_int("model.degree", degree, 1)
        check_choice("model.interactions", interactions, (True, False))
        inputs = math.prod(in_shape)
        terms = math.comb(inputs + degree, degree) - 1 if interactions else inputs * degree
        if interactions and terms > MAX_TERMS:
            raise ConfigError(
                f"model.interactions = True: {inputs} inputs have {terms:,} products up to model.degree = {degree}, "
                f"at most {MAX_TERMS:,} are allowed"
            )
        self.degree = degree
        self.interactions = interactions
        for power in range(1, degree + 1):
            factors = list(combinations_with_replacement(range(inputs), power)) if interactions else []
            self.register_buffer(f"factors_{power}", torch.tensor(factors, dtype=torch.int64), persistent=False)
        self.output = nn.Linear(terms, num_outputs)

    def terms(self, x: Tensor) -> Tensor:
        """Return the [B, terms] terms of inputs [B, F], by ascending degree."""
        powers = range(1, self.degree + 1)
        if self.interactions:
            return torch.cat([x[:, self.get_buffer(f"factors_{power}")].prod(-1) for power in powers], 1)
        return torch.cat([x**power for power in powers], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        outputs: Tensor = self.output(self.terms(x.flatten(1)))
        return outputs
