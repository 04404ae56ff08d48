import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.models.logistic import LogisticRegression
from hpsearch.models.softmax import SoftmaxRegression


def test_one_sigmoid_unit_is_a_softmax_over_two_classes():
    one, two = LogisticRegression((4,), 2), SoftmaxRegression((4,), 2)
    with torch.no_grad():
        one.output.weight.copy_(two.output.weight[1:] - two.output.weight[:1])
        one.output.bias.copy_(two.output.bias[1:] - two.output.bias[:1])
    x, y = torch.randn(8, 4), torch.randint(2, (8,))
    torch.testing.assert_close(one(x).sigmoid()[:, 0], two(x).softmax(1)[:, 1])
    torch.testing.assert_close(BinaryCrossEntropy()(one(x), y), torch.nn.functional.cross_entropy(two(x), y))


@pytest.mark.parametrize("classes", [1, 3, 10])
def test_it_needs_two_classes(classes):
    with pytest.raises(ConfigError, match=f"needs data of 2 classes, this has {classes}; use model=softmax"):
        LogisticRegression((4,), classes)
