"""Polynomial regression."""

import math
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_choice, check_int

MAX_TERMS = 100_000
SAME = 1e-7
"""Standard deviation of a term, of inputs up to 1, that is rounding."""


class PolynomialRegression(nn.Module):
    """A linear layer on the powers of each input, or on all their products, up to a degree.

    For inputs x_1 ... x_F the outputs are ``b + sum_t w_t t`` over the terms ``x_f^d``, 1 <= d <= degree; with
    interactions over all products of at most `degree` inputs, of which there are (F + degree choose degree) - 1.

    Scaled terms are ``(t - mean of t) / standard deviation of t`` over the training part (`fit_terms`), of inputs
    divided by their largest magnitude there, which changes no scaled term and keeps powers from overflowing. So every
    term varies as much as any other, weights of all degrees can be compared, and a penalty weighs them alike.

    Args:
        in_shape: shape of one input.
        num_outputs: number of targets or classes.
        degree: of the polynomial; 1 is linear regression.
        interactions: whether products of different inputs are terms too.
        scaled: whether terms are scaled.

    Raises:
        ConfigError: for interactions of more terms than `MAX_TERMS`.
    """

    largest: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        degree: int = 2,
        interactions: bool = False,
        scaled: bool = True,
    ) -> None:
        super().__init__()
        check_choice("model.scaled", scaled, (True, False))
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
        self.scaled = scaled
        for power in range(1, degree + 1):
            factors = list(combinations_with_replacement(range(inputs), power)) if interactions else []
            self.register_buffer(f"factors_{power}", torch.tensor(factors, dtype=torch.int64), persistent=False)
        if scaled:
            self.register_buffer("largest", torch.ones(inputs))
            self.register_buffer("mean", torch.zeros(terms))
            self.register_buffer("spread", torch.ones(terms))
        self.output = nn.Linear(terms, num_outputs)

    @torch.no_grad()
    def fit_terms(self, x: Tensor) -> None:
        """Take the scales of inputs and terms from a training part; nothing where terms are not scaled.

        Args:
            x: [N, *in_shape] inputs; a term that does not vary among them is only centred.
        """
        if not self.scaled:
            return
        inputs = x.flatten(1).double()
        largest = inputs.abs().amax(0)
        self.largest.copy_(torch.where(largest > 0, largest, torch.ones_like(largest)))
        terms = self.terms(inputs / self.largest.double())
        spread = terms.std(0, correction=0)
        self.mean.copy_(terms.mean(0))
        self.spread.copy_(torch.where(spread > SAME, spread, torch.ones_like(spread)))

    def terms(self, x: Tensor) -> Tensor:
        """Return the [B, terms] terms of inputs [B, F], by ascending degree."""
        powers = range(1, self.degree + 1)
        if self.interactions:
            return torch.cat([x[:, self.get_buffer(f"factors_{power}")].prod(-1) for power in powers], 1)
        return torch.cat([x**power for power in powers], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]."""
        inputs = x.flatten(1)
        terms = (self.terms(inputs / self.largest) - self.mean) / self.spread if self.scaled else self.terms(inputs)
        outputs: Tensor = self.output(terms)
        return outputs
