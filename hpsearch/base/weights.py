"""Which parameters multiply an input: what weight decay, penalties and norm limits act on unless asked otherwise."""

from typing import Protocol

LENGTHS, DIRECTIONS = "parametrizations.weight.original0", "parametrizations.weight.original1"
"""What the names of the two parameters end with that weight normalization makes of a weight."""


class HasAxes(Protocol):
    """A tensor, of which only the number of axes matters."""

    @property
    def ndim(self) -> int:
        """Number of axes."""


def is_weight(name: str, parameter: HasAxes) -> bool:
    """Return whether a parameter multiplies an input: it has two axes or more and is not called bias.

    Of a weight ``g v / |v|`` (see `hpsearch.nn.normalization.WeightNorm`) these are the lengths g, which are the norms
    of the units' weights; pulling at v would change nothing that the model computes.

    Args:
        name: as ``model.named_parameters()`` gives it.
        parameter: the parameter.
    """
    if name.endswith((LENGTHS, DIRECTIONS)):
        return name.endswith(LENGTHS)
    return parameter.ndim > 1 and not name.endswith("bias")
