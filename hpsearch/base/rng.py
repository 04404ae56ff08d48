"""Addressed randomness: every draw is a function of (trial seed, purpose, where), never of what was drawn before.

So a trial's draws do not depend on its neighbours, its slot, a retry or a resume.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def address(seed: int, purpose: str, *where: int | str) -> int:
    """Return the 63-bit seed of one draw.

    Args:
        seed: the trial's seed.
        purpose: what is drawn: ``init``, ``order``, ``dropout``, ...
        where: epoch, step, layer or sample, from coarse to fine.

    Returns:
        The first 63 bits of the SHA-256 digest of the words.
    """
    words = "\x1f".join(str(word) for word in (seed, purpose, *where))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *where: int | str) -> "torch.Generator":
    """Return a host generator seeded with the address of a draw."""
    import torch

    return torch.Generator().manual_seed(address(seed, purpose, *where))
