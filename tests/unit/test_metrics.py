import math
import subprocess
import sys

import pytest
import sklearn.metrics as sk
import torch
from torch.func import vmap

from hpsearch import metrics
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective

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
    parts = [f"{part}/{name}" for part in ("train", "valid", "test") for name in ("loss", "rmse", "mae", "r2")]
    assert metrics.reported("regression", test=True) == (*parts, *LOOP)
    more = metrics.reported("classification", False, ["f1", "f1", "top_2"], penalty=True, gpu=True)
    assert more[2:4] == ("train/f1", "train/top_2") and more[-2:] == ("train/penalty", "gpu_memory_mib")


@pytest.mark.parametrize(
    ("task", "name", "hint"),
    [
        ("classification", "F1", ""),
        ("classification", "auroq", "did you mean 'auroc'?"),
        ("classification", "top_0", ""),
        ("classification", "r2", ""),
        ("regression", "auroc", ""),
    ],
)
def test_a_metric_that_the_task_has_not_got(task, name, hint):
    with pytest.raises(ConfigError, match=rf"^trainer\.metrics: '{name}' is none of a {task}'s") as error:
        metrics.wholes(task, [name])
    assert hint in str(error.value)


def test_a_top_of_more_than_there_is():
    metrics.check_outputs("classification", ["top_10"], 10)
    with pytest.raises(ConfigError, match="'top_11', but there are 10 classes"):
        metrics.check_outputs("classification", ["top_11"], 10)


def test_what_is_followed():
    objective = Objective("valid/acc", "maximize")
    assert metrics.followed(None, objective) == ("valid/acc", True)
    assert metrics.followed("valid/acc", Objective("valid/acc", "minimize")) == ("valid/acc", False)
    assert metrics.followed("valid/rmse", objective) == ("valid/rmse", False)
    assert metrics.followed("valid/r2", Objective("valid/loss", "minimize")) == ("valid/r2", True)


def cases(classes, n=500):
    """Noisy scores; those of two classes have ties."""
    generator = torch.Generator().manual_seed(classes)
    y = torch.randint(classes, (n,), generator=generator)
    signal = torch.nn.functional.one_hot(y, classes) + torch.randn(n, classes, generator=generator)
    return (signal * 4).round() / 4 if classes == 2 else signal, y


def batches(*tensors):
    return [tensor.split(70) for tensor in tensors]


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_metrics_of_a_classification_are_scikit_learns(classes):
    outputs, y = cases(classes)
    found = metrics.of_outputs(["f1", "auroc"], *batches(outputs, y))
    p = outputs.double().softmax(1).numpy()
    area = sk.roc_auc_score(y, p[:, 1]) if classes == 2 else sk.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert found["f1"] == pytest.approx(sk.f1_score(y, outputs.argmax(1), average="macro"))
    assert found["auroc"] == pytest.approx(area, abs=1e-9)


def test_top_k_is_scikit_learns():
    outputs, y = torch.randn(300, 6, generator=torch.Generator().manual_seed(0)), cases(6, 300)[1]
    found = metrics.of_outputs(["top_1", "top_3", "top_6"], [outputs], [y])
    assert found["top_6"] == 1
    for k in (1, 3):
        assert found[f"top_{k}"] == pytest.approx(sk.top_k_accuracy_score(y, outputs, k=k))


def test_one_output_stands_for_two_classes():
    outputs, y = cases(2)
    one = (outputs[:, 1] - outputs[:, 0])[:, None]
    asked = ["f1", "auroc", "top_1"]
    assert metrics.of_outputs(asked, [one], [y]) == pytest.approx(metrics.of_outputs(asked, [outputs], [y]))
    loss = torch.tensor(0.0)
    assert torch.equal(
        metrics.batch_sums("classification", loss, one, y), metrics.batch_sums("classification", loss, outputs, y)
    )


def test_a_class_that_does_not_occur():
    outputs, y = cases(4)
    outputs, y = outputs[y != 3], y[y != 3]
    found = metrics.of_outputs(["f1", "auroc"], [outputs], [y])
    assert found["f1"] == pytest.approx(sk.f1_score(y, outputs.argmax(1), average="macro"))
    p = outputs.double().softmax(1).numpy()
    areas = [sk.roc_auc_score(y == c, p[:, c]) for c in range(3)]
    assert found["auroc"] == pytest.approx(sum(areas) / 3)
    alone = metrics.of_outputs(["auroc"], [outputs[y == 1]], [y[y == 1]])
    assert math.isnan(alone["auroc"])


@pytest.mark.parametrize("columns", [1, 3])
def test_metrics_of_a_regression_are_scikit_learns(columns):
    generator = torch.Generator().manual_seed(0)
    y = 2000 + torch.randn(400, columns, generator=generator) * torch.tensor([1.0, 5.0, 0.1])[:columns]
    outputs = y + torch.randn(400, columns, generator=generator)
    found = metrics.of_outputs(["rmse", "mae", "r2"], *batches(outputs, y))
    outputs, y = outputs.double(), y.double()
    assert found["rmse"] == pytest.approx(math.sqrt(sk.mean_squared_error(y, outputs)))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, outputs))
    assert found["r2"] == pytest.approx(sk.r2_score(y, outputs))


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


@pytest.mark.parametrize(
    ("metric", "share"),
    [
        *[(metric, True) for metric in ("valid/acc", "test/top_5", "f1", "valid/auroc")],
        *[(metric, False) for metric in ("valid/loss", "valid/r2", "valid/my_acc")],
    ],
)
def test_shares_lie_between_0_and_1(metric, share):
    assert metrics.is_share(metric) is share
