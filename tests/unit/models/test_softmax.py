import torch

from hpsearch.models.softmax import SoftmaxRegression


def test_outputs_are_linear_in_the_flattened_input():
    model = SoftmaxRegression((1, 8, 8), 10)
    x = torch.randn(5, 1, 8, 8)
    expected = x.reshape(5, 64) @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(x), expected)
    assert sum(p.numel() for p in model.parameters()) == 650
