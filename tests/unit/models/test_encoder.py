import math

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.models.encoder import Encoder, positions_of

WORDS = torch.tensor([[5, 2, 7, 1, 3], [4, 6, 0, 0, 0], [2, 0, 0, 0, 0]])


def encoder(**options):
    torch.manual_seed(0)
    return Encoder((5,), 3, size=8, heads=2, vocabulary=9, **options).double()


@pytest.mark.parametrize("attention", ["dot", "additive"])
def test_a_padded_batch_has_the_outputs_of_its_sentences_one_by_one(attention):
    model = encoder(attention=attention)
    outputs = model(WORDS)
    assert outputs.shape == (3, 5, 3)
    for found, words in zip(outputs, WORDS, strict=True):
        length = int((words != 0).sum())
        torch.testing.assert_close(found[:length], model(words[None, :length])[0], rtol=0, atol=1e-12)


def test_only_positions_tell_the_order_of_words():
    order = torch.tensor([0, 3, 1, 2, 4])
    for positions, same in (("none", True), ("sinusoidal", False)):
        model = encoder(positions=positions)
        found, shuffled = model(WORDS[:1])[0], model(WORDS[:1, order])[0]
        assert torch.allclose(found[order], shuffled) is same


def test_a_sentence_of_nothing_has_finite_outputs():
    assert encoder()(torch.zeros(2, 4, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("size", [6, 7])
def test_positions_are_those_of_the_paper(size):
    found = positions_of(5, size)
    for t in range(5):
        for j in range(size):
            wave = math.sin if j % 2 == 0 else math.cos
            assert found[t, j] == pytest.approx(wave(t / 10_000 ** ((j - j % 2) / size)), abs=1e-12)


def test_images_are_no_words():
    with pytest.raises(ConfigError, match=r"reads words, .* shape \(1, 8, 8\): model=vit is for images"):
        Encoder((1, 8, 8), 3)
