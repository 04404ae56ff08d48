"""Labels per step: of a sequence [T] of words each one has a label, and shorter sequences are padded behind their end.

Targets [N, T] hold `NO_LABEL` where a step has none, and inputs [N, T] `PADDING` where there is no word; both are
written with methods that arrays of NumPy and tensors of torch share.
"""

from typing import Any

NO_LABEL = -100
"""In the place of a class number: the step has no label. It is what torch's losses leave out unless told otherwise."""
PADDING, UNKNOWN = 0, 1
"""Numbers of words: behind the end of a sequence, and a word that training does not know."""
SPECIAL = ("<pad>", "<unk>")
"""What these are called."""


def per_step(y: Any) -> bool:
    """Return whether targets are class numbers of steps, [N, T]; shares of classes and numbers are floats."""
    return bool(y.ndim == 2 and "int" in str(y.dtype))


def labels(y: Any) -> Any:
    """Return the class numbers [M] of all steps that have a label, in their order; other targets as they are."""
    return y[y >= 0] if per_step(y) else y


def labelled(outputs: Any, y: Any) -> tuple[Any, Any]:
    """Return outputs [M, C] and class numbers [M] of the steps that have a label; all others as they are.

    Args:
        outputs: [B, T, C] of steps, or [B, C].
        y: [B, T] class numbers of steps, or targets [B, ...] of samples.
    """
    if not per_step(y):
        return outputs, y
    chosen = y >= 0
    return outputs[chosen], y[chosen]


def label_counts(y: Any) -> Any:
    """Return of class numbers of steps [N, T] how many of each sample's have a label, [N]."""
    return (y >= 0).sum(1)


def label_count(y: Any) -> int:
    """Return how many labels targets hold: one per sample, or of steps those there are, which waits for the device."""
    return int(label_counts(y).sum()) if per_step(y) else y.shape[0]
