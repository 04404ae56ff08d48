"""Layers, activations, normalizations and initializations the models share; importing this loads no torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpsearch.nn.dropout import Dropout

__all__ = ["Dropout"]


def __getattr__(name: str) -> Any:
    """Return what models of users need, `Dropout`, when it is asked for."""
    if name != "Dropout":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from hpsearch.nn.dropout import Dropout

    return Dropout
