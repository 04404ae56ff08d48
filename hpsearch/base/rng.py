"""Addressed randomness: every draw is a function of (trial seed, purpose, where), never of what was drawn before.

So a trial's draws do not depend on its neighbours, its slot, a retry or a resume.
"""

import hashlib
from typing import Any, TypeVar

Generator = TypeVar("Generator", bound=Any)
Lanes = TypeVar("Lanes", bound=Any)
"""A tensor of 32-bit integers; this module loads no library that has one."""


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


def seeded(generator: Generator, seed: int, purpose: str, *where: int | str) -> Generator:
    """Seed a generator of torch with the address of a draw, and return it."""
    generator.manual_seed(address(seed, purpose, *where))
    return generator


def mix(x: Lanes) -> Lanes:
    """Mix the bits of each 32-bit lane, one to one: every bit of the result depends on every bit of `x`.

    The steps are xor-shift 16, multiply by 0x7feb352d, xor-shift 15, multiply by 0x846ca68b, xor-shift 16 (the
    constants of C. Wellons' lowbias32), in signed lanes because not every device multiplies unsigned ones; the shifts
    are made logical by masking.

    Args:
        x: a tensor of any shape, int32.

    Returns:
        Same shape, int32.
    """
    x = x ^ (x >> 16).bitwise_and_(0xFFFF)
    x *= 0x7FEB352D
    x ^= (x >> 15).bitwise_and_(0x1FFFF)
    x *= 0x846CA68B - 2**32
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x
