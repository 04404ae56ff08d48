import subprocess
import sys

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.reported import LOOP, USUAL, check_names, followed, reported, with_usual
from hpsearch.metrics.top_k import TopK


def test_every_trial_of_a_task_has_its_usual_metrics():
    usual = with_usual("classification", {})
    assert reported(usual, test=False) == ("train/loss", "train/acc", "valid/loss", "valid/acc", *LOOP)
    parts = [f"{part}/{name}" for part in ("train", "valid", "test") for name in ("loss", "rmse", "mae", "r2")]
    assert reported(with_usual("regression", {}), test=True) == (*parts, *LOOP)
    assert all(metric.task == task for task, metrics in USUAL.items() for metric in metrics.values())


def test_those_chosen_follow_and_one_of_a_usual_name_takes_its_place():
    mine = Accuracy()
    metrics = with_usual("classification", {"f1_macro": F1Macro(), "top_k": TopK([2, 3]), "acc": mine})
    assert metrics["acc"] is mine
    names = reported(metrics, False, penalty=True, gpu=True)
    assert names[:5] == ("train/loss", "train/acc", "train/f1_macro", "train/top_2", "train/top_3")
    assert names[-2:] == ("train/penalty", "gpu_memory_mib")


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"loss": Accuracy()}, r"metric\.loss: reports 'loss', which is what the training reports"),
        (
            {"mine": TopK(2), "top_k": TopK([1, 2])},
            r"metric\.top_k: reports 'top_2', which is what metric\.mine reports",
        ),
    ],
)
def test_two_numbers_of_one_name(metrics, message):
    with pytest.raises(ConfigError, match=message):
        check_names(with_usual("classification", metrics))
    check_names(with_usual("classification", {"acc": Accuracy(), "top_k": TopK([1, 2])}))


def test_what_is_followed():
    objective, regression = Objective("valid/acc", "maximize"), with_usual("regression", {})
    assert followed(None, objective, regression) == ("valid/acc", True)
    assert followed("valid/acc", Objective("valid/acc", "minimize"), {}) == ("valid/acc", False)
    assert followed("valid/rmse", objective, regression) == ("valid/rmse", False)
    assert followed("valid/loss", objective, regression) == ("valid/loss", False)
    assert followed("train/penalty", objective, {}) == ("train/penalty", False)
    assert followed("valid/r2", Objective("valid/loss", "minimize"), regression) == ("valid/r2", True)
    assert followed("valid/top_2", Objective("valid/loss", "minimize"), {"top_k": TopK(2)}) == ("valid/top_2", True)


def test_what_a_driver_imports_loads_no_torch():
    code = """
import sys
import hpsearch.metrics.reported, hpsearch.schedules, hpsearch.regularizers, hpsearch.optim.groups
import hpsearch.data.digits, hpsearch.data.mnist
from hpsearch.metrics.top_k import TopK
hpsearch.metrics.reported.reported({"top_k": TopK(5)}, True)
hpsearch.schedules.Schedule(per="step", warmup_steps=3)
print("torch" in sys.modules, "pooch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False False\n"
