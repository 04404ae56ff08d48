"""Members under `torch.func.vmap` are computed in the precision that each has alone."""

import pytest
import torch
from torch import nn

from hpsearch.models.resnet import ResNet
from hpsearch.models.vit import ViT
from hpsearch.nn.stacked import Stacked

BF16 = torch.bfloat16


class Added(nn.Module):
    """A block that no rule is for; what a layer gives is added to what it is given."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return x + self.layer(x)


LAYERS = {
    "linear": (lambda: nn.Linear(6, 6), (4, 6), BF16),
    "convolution": (lambda: nn.Conv2d(3, 3, 3, padding=1, bias=False), (4, 3, 5, 5), BF16),
    "batch norm": (lambda: nn.BatchNorm2d(3), (4, 3, 5, 5), BF16),
    "layer norm": (lambda: nn.LayerNorm(6), (4, 6), torch.float32),
    "softmax": (lambda: nn.Softmax(1), (4, 6), torch.float32),
    "relu": (nn.ReLU, (4, 6), BF16),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("given", [BF16, torch.float32])
def test_layers_have_the_precision_of_autocast(name, given):
    make, shape, expected = LAYERS[name]
    lowered = name in ("linear", "convolution")
    stack = Stacked([nn.Sequential(each) for each in (Outputs(make()), Outputs(make()))])
    with torch.autocast("cpu", BF16):
        outputs = stack(torch.randn(2, *shape).to(given))
    assert outputs.dtype == (BF16 if lowered else expected if given == BF16 else torch.float32)


class Outputs(nn.Module):
    """Gives what a layer does; no rule is for it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: ResNet((1, 6, 6), 3, (1, 1), width=4), (1, 6, 6)),
        (lambda: ViT((1, 8, 8), 3, size=8, depth=1, heads=2), (1, 8, 8)),
        (lambda: nn.Sequential(Added(nn.Linear(6, 6)), nn.Linear(6, 3)), (6,)),
    ],
)
def test_networks_compute_together_in_bf16_what_each_does_alone(make, shape):
    models = [make() for _ in range(2)]
    x = torch.randn(2, 5, *shape)
    with torch.autocast("cpu", BF16):
        alone = torch.stack([model(each) for model, each in zip(models, x, strict=True)])
    exact = torch.stack([model(each) for model, each in zip(models, x, strict=True)])
    stack = Stacked(models)
    with torch.autocast("cpu", BF16):
        together = stack(x)
    assert together.dtype == alone.dtype
    scale = exact.abs().max()
    assert 1e-5 * scale < (together.float() - exact).abs().max()  # it is not float32
    assert (together.float() - alone.float()).abs().max() < 0.04 * scale


def test_without_autocast_nothing_is_cast():
    stack = Stacked([Outputs(nn.Linear(6, 6)), Outputs(nn.Linear(6, 6))])
    assert stack(torch.randn(2, 4, 6)).dtype == torch.float32
