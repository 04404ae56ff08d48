import subprocess
import sys

import pytest
import torch
from torch.func import vmap

from hpsearch import metrics

LOOP = ("lr", "grad_norm", "update_ratio", "epoch_sec", "samples_per_sec")


def test_names():
    assert metrics.names("classification") == ("loss", "acc")
    assert metrics.names("regression") == ("loss",)
    assert metrics.reported("classification", test=False) == (
        "train/loss",
        "train/acc",
        "valid/loss",
        "valid/acc",
        *LOOP,
    )
    assert metrics.reported("regression", test=True) == ("train/loss", "valid/loss", "test/loss", *LOOP)


def data(n=103):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, generator=generator), torch.randint(4, (n,), generator=generator)


def test_uneven_batches_add_up_to_the_mean_over_all_samples():
    outputs, y = data()
    loss = torch.nn.CrossEntropyLoss()
    sums = torch.zeros(2)
    for rows in torch.arange(103).split(10):
        sums += metrics.batch_sums("classification", loss(outputs[rows], y[rows]), outputs[rows], y[rows])
    result = metrics.means("classification", sums, 103)
    correct = sum(int(row.argmax()) == int(label) for row, label in zip(outputs, y, strict=True))
    assert result == {"loss": pytest.approx(loss(outputs, y).item(), rel=1e-6), "acc": pytest.approx(correct / 103)}


def test_a_regression_has_its_loss_alone():
    sums = metrics.batch_sums("regression", torch.tensor(0.5), torch.zeros(4, 1), torch.zeros(4, 1))
    assert metrics.means("regression", sums, 4) == {"loss": 0.5}


def test_sums_hold_no_graph_and_are_float32():
    outputs, y = data()
    outputs = outputs.bfloat16().requires_grad_()
    sums = metrics.batch_sums("classification", torch.nn.functional.cross_entropy(outputs, y), outputs, y)
    assert not sums.requires_grad and sums.dtype == torch.float32


def test_members_under_vmap_get_their_own_sums():
    outputs, y = data(60)
    members = outputs.view(3, 20, 4)
    losses = torch.tensor([1.0, 2.0, float("nan")])
    fused = vmap(lambda loss, out, labels: metrics.batch_sums("classification", loss, out, labels))(
        losses, members, y.view(3, 20)
    )
    for member in range(3):
        alone = metrics.batch_sums("classification", losses[member], members[member], y.view(3, 20)[member])
        torch.testing.assert_close(fused[member], alone, rtol=0, atol=0, equal_nan=True)


def test_what_a_driver_imports_loads_no_torch():
    code = """
import sys
import hpsearch.metrics, hpsearch.schedules, hpsearch.regularizers, hpsearch.optim.groups
import hpsearch.data.digits, hpsearch.data.fashion_mnist, hpsearch.data.mnist
hpsearch.metrics.reported("classification", True)
hpsearch.schedules.Schedule(per="step", warmup_steps=3)
print("torch" in sys.modules, "pooch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False False\n"
