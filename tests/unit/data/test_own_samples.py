"""Datasets of users: what is taken, and the one line for what is not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.check import look
from hpsearch.data.torch_dataset import TorchDataset
from hpsearch.regularizers import L2
from hpsearch.trial.batching import Batching, takes_one
from hpsearch.trial.loop import train
from tests.support.jobs import curve, drive, make_job, same_weights, weights


class Rows(Dataset):
    """Forty samples of two numbers and their class; one of them is something else."""

    def __init__(self, other=None, at=7, named=False):
        self.x = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
        self.y = (self.x[:, 0] > 0).long()
        self.other, self.at, self.named = other, at, named
        self.targets = self.y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        if self.other is not None and index == self.at:
            return self.other(self.x[index], self.y[index])
        x = self.x[index]
        return ({"first": x[:1], "which": self.y[index]} if self.named else x), self.y[index]


def raising(*_):
    raise OSError("image file is truncated\nand more")


BROKEN = {
    "unreadable": (raising, "sample 7 cannot be read: OSError: image file is truncated"),
    "a picture": (
        lambda x, y: (Image.new("RGB", (4, 4)), y),
        "sample 7 holds a PIL.Image.Image: must be a tensor, an array or a dict of them; torchvision's ToTensor",
    ),
    "a text": (lambda x, y: ("five", y), "sample 7 holds a builtins.str: must be a tensor"),
    "no pair": (lambda x, y: {"x": x, "y": y}, "sample 7 is a dict: must be an input and its target"),
    "three": (lambda x, y: (x, y, 0), "sample 7 is a tuple of 3: must be an input and its target"),
    "another shape": (lambda x, y: (x[:1], y), "an input of shape"),
    "not finite": (lambda x, y: (x * float("nan"), y), "finite"),
}


@pytest.mark.parametrize("workers", [0, None])
@pytest.mark.parametrize("case", BROKEN)
def test_a_sample_that_cannot_be_used_is_one_line(case, workers):
    other, line = BROKEN[case]
    with pytest.raises(DataError) as raised:
        splits = TorchDataset(batch_size=8, dataset=Rows(other), loader_workers=workers).load()
        for part in (splits.train, splits.valid):
            list(part.in_order(40))
    assert str(raised.value).startswith("data.dataset = Rows: ")
    assert line in str(raised.value) and "\n" not in str(raised.value)


def test_a_worker_of_a_loader_says_the_same_line():
    with pytest.raises(
        DataError, match=r"^data\.dataset = Rows: sample 7 cannot be read: OSError: image file is truncated$"
    ):
        splits = TorchDataset(batch_size=8, dataset=Rows(raising), loader_workers=1).load()
        for part in (splits.train, splits.valid):
            list(part.in_order(40))


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        (["cat"] * 40, r"sample 0 has the target 'cat', a str: must be a number; number the classes from 0"),
        ([torch.zeros(2)] * 39 + [torch.zeros(3)], "its targets have different shapes"),
        ([None] * 40, "sample 0 has the target None"),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_targets_that_are_no_numbers_are_one_line(targets, line, told):
    rows = Rows(lambda x, y: (x, y))
    if told:
        rows.targets = targets
    else:
        del rows.targets
        rows.y = targets
    with pytest.raises(DataError, match=line) as raised:
        TorchDataset(batch_size=8, dataset=rows).load()
    assert "\n" not in str(raised.value)


class Named(nn.Module):
    """Takes a dict: a number, and a whole one that is looked up."""

    def __init__(self, in_shape):
        super().__init__()
        assert in_shape == {"first": (1,), "which": ()}
        self.number, self.table = nn.Linear(1, 2), nn.Embedding(2, 2)

    def forward(self, x):
        return self.number(x["first"]) + self.table(x["which"])


@pytest.mark.parametrize("micro", [None, 3])
def test_inputs_may_be_dicts_of_tensors_where_the_model_takes_them(tmp_path, micro):
    splits = TorchDataset(batch_size=8, dataset=Rows(named=True)).load()
    job = make_job(tmp_path, splits=splits, make_model=lambda: Named(splits.in_shape), batch_size=8, epochs=20)
    job = replace(job, batching=Batching(len(splits.train), 8, micro=micro), regularizers={"l2": L2(strength=1e-4)})
    assert takes_one(job.model, (), splits)
    messages, _ = drive(train(job))
    assert messages[-1].metrics["valid/acc"] == 1.0
    with pytest.raises(ConfigError, match="dicts of tensors, which no stage of the recipe looks at"):
        look(splits, 10)
    with pytest.raises(DataError, match=r"inputs are dicts, .* data\.loader_workers=0"):
        TorchDataset(batch_size=8, dataset=Rows(named=True), loader_workers=None).load()


def test_labels_may_be_arrays_and_lists():
    for targets in (np.arange(40) % 2, [0, 1] * 20, torch.arange(40) % 2):
        rows = Rows(lambda x, y: (x, y))
        rows.targets, rows.y = targets, torch.arange(40) % 2
        assert TorchDataset(batch_size=8, dataset=rows).load().num_outputs == 2


def test_curves_of_dicts_repeat(tmp_path):
    splits = TorchDataset(batch_size=8, dataset=Rows(named=True)).load()
    jobs = [make_job(tmp_path / name, splits=splits, make_model=lambda: Named(splits.in_shape)) for name in "ab"]
    assert curve(drive(train(jobs[0]))[0]) == curve(drive(train(jobs[1]))[0])
    assert same_weights(weights(jobs[0]), weights(jobs[1]))
