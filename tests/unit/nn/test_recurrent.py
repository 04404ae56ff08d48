import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.dropout import address_dropout
from hpsearch.nn.normalized_cells import turned
from hpsearch.nn.recurrent import CELLS, Jordan, Recurrent

TORCH = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
B, T, F, H = 2, 6, 3, 4


def slow_elman(layer, x, suffix="", activation=torch.tanh):
    w, u, b, c = (getattr(layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, states = torch.zeros(H), []
    for step in x:
        h = activation(w @ step + b + u @ h + c)
        states.append(h)
    return torch.stack(states)


def slow_lstm(layer, x, suffix=""):
    w, u, b, c = (getattr(layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, memory, states = torch.zeros(H), torch.zeros(H), []
    for step in x:
        i, f, g, o = (w @ step + b + u @ h + c).chunk(4)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(memory)
        states.append(h)
    return torch.stack(states)


def slow_gru(layer, x, suffix=""):
    w, u, b, c = (getattr(layer, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, states = torch.zeros(H), []
    for step in x:
        (r_x, z_x, n_x), (r_h, z_h, n_h) = (w @ step + b).chunk(3), (u @ h + c).chunk(3)
        reset, update = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
        h = (1 - update) * torch.tanh(n_x + reset * n_h) + update * h
        states.append(h)
    return torch.stack(states)


def slow_jordan(layer, x, suffix="", activation=torch.tanh):
    part = layer.backwards if suffix else layer.forwards
    w, b, u = part.input.weight, part.input.bias, part.context.weight
    v, c = part.output.weight, part.output.bias
    y, states = torch.zeros(H), []
    for step in x:
        h = activation(w @ step + u @ y + b)
        y = activation(v @ h + c)
        states.append(y)
    return torch.stack(states)


SLOW = {"elman": slow_elman, "jordan": slow_jordan, "lstm": slow_lstm, "gru": slow_gru}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_equals_its_formula_step_by_step(cell, bidirectional):
    model = Recurrent(cell, F, H, bidirectional=bidirectional)
    x = torch.randn(B, T, F)
    expected = []
    for sample in x:
        states = SLOW[cell](model.layers[0], sample)
        if bidirectional:
            states = torch.cat([states, SLOW[cell](model.layers[0], sample.flip(0), "_reverse").flip(0)], -1)
        expected.append(states)
    torch.testing.assert_close(model(x), torch.stack(expected))


@pytest.mark.parametrize("cell", ["elman", "jordan"])
def test_relu(cell):
    model = Recurrent(cell, F, H, activation="relu")
    x = torch.randn(T, F)
    torch.testing.assert_close(model(x[None])[0], SLOW[cell](model.layers[0], x, activation=torch.relu))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", TORCH)
def test_layers_in_a_row_equal_torch(cell, bidirectional):
    model = Recurrent(cell, F, H, layers=3, bidirectional=bidirectional)
    theirs = TORCH[cell](F, H, num_layers=3, batch_first=True, bidirectional=bidirectional)
    for place, layer in enumerate(model.layers):
        for name, weight in layer.named_parameters():
            getattr(theirs, name.replace("_l0", f"_l{place}")).data.copy_(weight)
    x = torch.randn(B, T, F)
    torch.testing.assert_close(model(x), theirs(x)[0])


def test_a_jordan_layer_feeds_back_its_output_and_not_its_hidden_units():
    layer = Jordan(F, H)
    nn.init.zeros_(layer.forwards.output.weight)
    states, _ = layer(torch.randn(B, T, F))
    same = torch.tanh(layer.forwards.output.bias).expand(B, T, H)
    torch.testing.assert_close(states, same)


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_between_layers_is_ours(cell):
    model = Recurrent(cell, F, H, layers=2, dropout=0.5)
    address_dropout(model, seed=1)
    x = torch.randn(B, T, F)
    assert torch.equal(model(x), model(x))
    assert not torch.allclose(model(x), model.eval()(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "rnn"}, "model.cell = 'rnn': must be one of elman, jordan, lstm, gru"),
        ({"hidden": 0}, "model.hidden = 0"),
        ({"layers": 0}, "model.layers = 0"),
        ({"bidirectional": 1}, "model.bidirectional = 1"),
        ({"activation": "gelu"}, "model.activation = 'gelu': must be one of tanh, relu"),
        ({"cell": "lstm", "activation": "relu"}, "model.activation = 'relu': the gates of lstm go with tanh alone"),
        ({"layers": 2, "dropout": 1.0}, "model.dropout = 1.0"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        Recurrent(**{"cell": "elman", "inputs": F, "hidden": H} | options)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_is_not_read_in_either_direction(cell, bidirectional):
    """A padded batch has the states of its sequences one by one, and zeros behind them, whatever the padding holds."""
    torch.manual_seed(0)
    recurrent = Recurrent(cell, 3, 5, layers=2, bidirectional=bidirectional).double()
    x, lengths = torch.randn(4, 9, 3, dtype=torch.float64), torch.tensor([2, 7, 1, 5])
    states = recurrent(x, lengths)
    assert states.shape == (4, 9, recurrent.size)
    for each, length, sequence in zip(states, lengths.tolist(), x, strict=True):
        alone = recurrent(sequence[None, :length])[0]
        torch.testing.assert_close(each[:length], alone, rtol=0, atol=1e-12)
        assert not each[length:].any()
    states.sum().backward()
    torch.testing.assert_close(recurrent(x[:, :7], lengths), states[:, :7], rtol=0, atol=1e-12)


def test_sequences_are_turned_each_by_its_own_length():
    x = torch.arange(10.0).reshape(2, 5, 1)
    turned_back = turned(x, torch.tensor([3, 5]))[..., 0]
    assert turned_back.tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]]
    assert torch.equal(turned(x, None), x.flip(1))
