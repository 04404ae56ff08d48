"""Draws are a function of their address, and mixing is one to one."""

import numpy as np
import torch

from hpsearch.base.rng import address, mix, seeded


def test_an_address_depends_on_every_word_and_on_nothing_else():
    assert address(3, "order", 1) == address(3, "order", 1)
    words = [
        (3, "order", 1),
        (4, "order", 1),
        (3, "init", 1),
        (3, "order", 2),
        (3, "order", 1, 1),
        (3, "order", "1", ""),
    ]
    assert len({address(*each) for each in words}) == len(words)
    assert all(0 <= address(*each) < 2**63 for each in words)


def test_a_seeded_generator_draws_the_same_again():
    draws = [torch.randn(4, generator=seeded(torch.Generator(), 3, "order", epoch)) for epoch in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_mixing_is_lowbias32_in_signed_lanes():
    lanes = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint64)
    mixed = lanes.copy()
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        mixed = ((mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)) % np.uint64(2**32)
    found = mix(torch.from_numpy(lanes.astype(np.uint32).view(np.int32)))
    assert found.numpy().view(np.uint32).tolist() == mixed.tolist()
