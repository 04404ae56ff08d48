import pytest
import torch
from torch import nn

from hpsearch.trial.backward import backward


def gradients(run, precision=torch.float32, times=1):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).to(precision)
    x, y = torch.randn(7, 5, dtype=precision), torch.arange(7) % 3
    for _ in range(times):
        run(nn.functional.cross_entropy(model(x), y))
    return [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("precision", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("times", [1, 2])
def test_gradients_are_those_of_torch_bit_for_bit_and_add_up(precision, times):
    ours, plain = (gradients(run, precision, times) for run in (backward, torch.Tensor.backward))
    assert all(torch.equal(*pair) for pair in zip(ours, plain, strict=True))


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (torch.ones(2, requires_grad=True) * 2, "Mismatch in shape"),
        (torch.ones(1, requires_grad=True) * 2, "Mismatch in shape"),
        (torch.ones(()), "does not require grad"),
    ],
)
def test_what_is_no_loss_is_refused(loss, said):
    with pytest.raises(RuntimeError, match=said):
        backward(loss)
