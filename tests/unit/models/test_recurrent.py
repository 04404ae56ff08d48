import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.models.recurrent import RecurrentNet
from hpsearch.nn.dropout import address_dropout
from hpsearch.nn.recurrent import CELLS


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_an_image_is_read_row_by_row_and_the_end_decides(cell, bidirectional):
    model = RecurrentNet((3, 5, 4), 7, cell, hidden=6, bidirectional=bidirectional)
    x = torch.randn(2, 3, 5, 4)
    for image, output in zip(x, model(x), strict=True):
        rows = torch.stack([torch.cat([image[channel, row] for channel in range(3)]) for row in range(5)])
        states = model.recurrent(rows[None])[0]
        end = torch.cat([states[-1, :6], states[0, 6:]])
        torch.testing.assert_close(output, model.output.weight @ end + model.output.bias)


def test_both_directions_have_read_everything_at_the_end():
    model = RecurrentNet((1, 6, 3), 2, "gru", hidden=4, bidirectional=True)
    x = torch.randn(1, 1, 6, 3, requires_grad=True)
    states = model._end(model.recurrent(x[:, 0]))
    for half in (states[0, :4], states[0, 4:]):
        (gradient,) = torch.autograd.grad(half.sum(), x, retain_graph=True)
        assert (gradient.abs().sum(-1) > 0).all()


def test_a_sequence_is_read_step_by_step():
    model = RecurrentNet((9, 3), 2)
    assert model.recurrent.layers[0].input_size == 3
    assert model(torch.randn(4, 9, 3)).shape == (4, 2)


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_follows_every_layer(cell):
    model = RecurrentNet((1, 5, 4), 3, cell, layers=2, hidden=16, dropout=0.5)
    address_dropout(model, seed=0)
    x = torch.randn(2, 1, 5, 4)
    assert len([name for name, _ in model.named_buffers() if name.endswith("rate")]) == 2
    assert not torch.allclose(model(x), model.eval()(x))


def parameters(*args, **options):
    return sum(p.numel() for p in RecurrentNet((1, 28, 28), 10, *args, **options).parameters())


def test_parameter_counts():
    weights, biases, head = 128 * (28 + 128), 128, 1290
    assert parameters("elman") == weights + 2 * biases + head
    assert parameters("jordan") == weights + biases + 128 * 128 + biases + head
    assert parameters("lstm") == 4 * (weights + 2 * biases) + head
    assert parameters("gru") == 3 * (weights + 2 * biases) + head
    assert parameters("elman", bidirectional=True) == 2 * (weights + 2 * biases) + 2560 + 10


def test_features_are_no_sequence():
    with pytest.raises(ConfigError, match=r"needs images .* or sequences .* inputs of shape \(13,\)"):
        RecurrentNet((13,), 2)


@pytest.mark.parametrize(
    ("option", "value"), [("cell", "rnn"), ("hidden", [64]), ("layers", 0), ("dropout", 1), ("activation", "gelu")]
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        RecurrentNet((1, 8, 8), 10, **{option: value})


WORDS = torch.tensor([[5, 2, 7, 1, 3], [4, 6, 0, 0, 0], [2, 0, 0, 0, 0]])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_each_word_has_outputs_that_padding_has_no_part_in(cell, bidirectional):
    model = RecurrentNet((5,), 3, cell, 6, 2, bidirectional, embedding=4, vocabulary=8).double()
    outputs = model(WORDS)
    assert outputs.shape == (3, 5, 3)
    for found, words in zip(outputs, WORDS, strict=True):
        length = int((words != 0).sum())
        torch.testing.assert_close(found[:length], model(words[None, :length])[0], rtol=0, atol=1e-12)
    outputs.sum().backward()
    assert not model.embedding.weight.grad[0].any()
    assert not model.embedding.weight[0].any()


def test_a_word_is_as_wide_as_the_hidden_layer_unless_said():
    model = RecurrentNet((5,), 3, "gru", 6, vocabulary=8)
    assert model.embedding.weight.shape == (8, 6)
    assert RecurrentNet((5, 2), 3, "gru", 6, embedding=9).embedding is None
    with pytest.raises(ConfigError, match=r"model.embedding = 0"):
        RecurrentNet((5,), 3, "gru", 6, vocabulary=8, embedding=0)


@pytest.mark.parametrize("norm", ["layer", "weight"])
def test_normalized_cells_do_not_read_padding_either(norm):
    model = RecurrentNet((5,), 3, "lstm", 6, bidirectional=True, norm=norm, vocabulary=8).double()
    for found, words in zip(model(WORDS), WORDS, strict=True):
        length = int((words != 0).sum())
        torch.testing.assert_close(found[:length], model(words[None, :length])[0], rtol=0, atol=1e-12)
