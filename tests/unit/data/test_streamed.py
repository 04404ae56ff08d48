import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from hpsearch.base.errors import ConfigError, DataError, HpsearchError
from hpsearch.data.augment import augment
from hpsearch.data.digits import Digits
from hpsearch.data.geometry import Crop
from hpsearch.data.streamed import Streamed
from hpsearch.data.torch_dataset import TorchDataset
from hpsearch.trial.loop import train
from tests.support.data_files import Points
from tests.support.jobs import curve, drive, make_job

DIGITS = Digits(train_size=90, test_fraction=0.2, valid_fraction=0.05)


def same(ours, theirs):
    pairs = list(zip(ours, theirs, strict=True))
    return bool(pairs) and all(torch.equal(a, b) for batches in pairs for a, b in zip(*batches, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_tensors(workers):
    tensors, streamed = DIGITS.load(test=True), replace(DIGITS, loader_workers=workers).load(test=True)
    order = torch.randperm(90, generator=torch.Generator().manual_seed(0))
    assert isinstance(streamed.train, Streamed)
    assert same(streamed.train.batches(order, 32, 1, 2), tensors.train.batches(order, 32, 1, 2))
    for part in ("train", "valid", "test"):
        ours, theirs = getattr(streamed, part), getattr(tensors, part)
        assert len(ours) == len(theirs) and torch.equal(ours.y, theirs.y)
        assert same(ours.in_order(17), theirs.in_order(17))
    assert streamed.digest == tensors.digest and streamed.in_shape == tensors.in_shape


@pytest.mark.parametrize("augmented", [False, True])
def test_a_trial_trains_alike_bit_for_bit(tmp_path, augmented):
    curves = []
    for workers in (None, 0, 1):
        splits = replace(DIGITS, loader_workers=workers, scaling="standardize").load()
        job = make_job(tmp_path / str(workers), splits=splits, epochs=2)
        if augmented:
            job = replace(job, augment=augment(1, {"crop": Crop(padding=1)}, splits.train))
        curves.append(curve(drive(train(job))[0]))
    assert curves[0] == curves[1] == curves[2]


@pytest.mark.parametrize("targets", [True, False])
def test_a_users_dataset_gives_the_batches_of_its_tensors(targets):
    source = TorchDataset(dataset=Points(targets=targets), test_fraction=0.2, folds=3)
    streamed, kept = source.load(test=True, fold=1), replace(source, loader_workers=None).load(test=True, fold=1)
    assert isinstance(streamed.train, Streamed) and not isinstance(kept.train, Streamed)
    assert (streamed.in_shape, streamed.num_outputs, streamed.class_names) == ((2,), 4, ("0", "1", "2", "3"))
    order = torch.randperm(len(kept.train))
    assert same(streamed.train.batches(order, 16), kept.train.batches(order, 16))
    assert same(streamed.valid.in_order(16), kept.valid.in_order(16))
    assert same(streamed.test.in_order(16), kept.test.in_order(16))


def test_classes_of_a_users_dataset_are_renumbered():
    splits = TorchDataset(dataset=Points(), classes=[3, 0], batch_size=16).load()
    x, y = next(splits.train.in_order(len(splits.train)))
    assert splits.class_names == ("3", "0")
    assert torch.equal(y == 0, (x > 0).all(1)) and torch.equal(y == 1, (x <= 0).all(1))


def test_a_regression_has_scaled_float_targets():
    splits = TorchDataset(dataset=Points(regression=True), task="regression", target_scaling="standardize").load()
    (batch,) = splits.train.in_order(len(splits.train))
    assert batch[1].shape == (96, 1) and batch[1].dtype == torch.float32
    assert batch[1].mean().abs() < 1e-5 and splits.num_outputs == 1
    total = batch[0].sum(1)
    assert torch.corrcoef(torch.stack((total, batch[1][:, 0])))[0, 1] > 0.999


def test_what_a_sample_draws_is_a_function_of_seed_epoch_and_sample():
    part = TorchDataset(dataset=Points(noise=1.0)).load().train
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(3))

    def rows(workers, size, seed, epoch):
        batches = replace(part, workers=workers).batches(order, size, seed, epoch)
        return torch.cat([x for x, _ in batches])

    first = rows(0, 16, 5, 1)
    assert torch.equal(first, rows(2, 7, 5, 1))
    assert not torch.equal(first, rows(0, 16, 5, 2)) and not torch.equal(first, rows(0, 16, 6, 1))


def test_reading_leaves_the_generators_alone():
    part = TorchDataset(dataset=Points(noise=1.0)).load().train
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    list(part.in_order(10))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


class Wrong(Points):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return (x * float("nan"), y) if index == 7 else (x, y)


def test_bad_samples_are_named():
    points = Points()
    points.targets = points.y.clone()
    points.targets[:] = (points.y + 1) % 4
    with pytest.raises(DataError, match=r"data\.dataset = Points: sample \d+ has label \d, but was said to have \d"):
        list(TorchDataset(dataset=points).load().train.in_order(10))
    with pytest.raises(DataError, match=r"data\.dataset = Wrong: sample 7 holds a number that is not finite"):
        splits = TorchDataset(dataset=Wrong()).load()
        list(splits.train.in_order(10)) + list(splits.valid.in_order(10))
    with pytest.raises(DataError, match=r"data\.dataset = Wrong: x\[7, 0\] = nan"):
        TorchDataset(dataset=Wrong(), loader_workers=None).load()
    points.targets = points.targets[:5]
    with pytest.raises(DataError, match="120 samples but 5 targets"):
        TorchDataset(dataset=points).load()
    with pytest.raises(DataError, match="the dataset is empty"):
        TorchDataset(dataset=Points(n=0)).load()
    with pytest.raises(DataError, match="labels from 0 to 3: 2 classes need 0 to 1"):
        TorchDataset(dataset=Points(), num_classes=2).load()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "data.dataset = null: must be the `_target_`"),
        ({"dataset": 3}, "data.dataset = int: must be the `_target_`"),
        ({"dataset": Points(), "scaling": "minmax"}, "data.scaling = 'minmax': a dataset that is read"),
        ({"dataset": Points(), "loader_workers": -1}, "data.loader_workers = -1: must be a whole number >= 0"),
        ({"dataset": Points(), "task": "ranking"}, "data.task = 'ranking'"),
        ({"dataset": Points(), "num_classes": 1}, "data.num_classes = 1"),
    ],
)
def test_bad_settings(fields, said):
    with pytest.raises(ConfigError) as error:
        TorchDataset(**fields)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("workers", [None, 0])
def test_a_users_dataset_says_its_groups_and_times(workers):
    dataset = Points()
    dataset.who, dataset.when = [f"p{n % 9}" for n in range(len(dataset))], torch.arange(len(dataset)).flip(0)
    parts = TorchDataset(dataset=dataset, groups="who", loader_workers=workers).read()
    assert len(set(parts.train.groups) | set(parts.valid.groups)) == 9
    assert not set(parts.train.groups) & set(parts.valid.groups)
    late = TorchDataset(dataset=dataset, time="when", loader_workers=workers, folds=3, batch_size=8).read(fold=1)
    assert late.train.time.max() < late.valid.time.min()
    before = TorchDataset(dataset=dataset, groups="who", loader_workers=workers).read().whole
    dataset.who[0] = "p1"
    assert TorchDataset(dataset=dataset, groups="who", loader_workers=workers).read().whole != before


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"groups": "whom"}, "data.groups = 'whom': data.dataset = Points has no such attribute (it has: x, y, noise"),
        ({"groups": "few"}, "data.dataset = Points: groups of shape (3,): must be one for each of 120 samples"),
        ({"time": "words"}, "data.dataset = Points: time holds <U1, or no time: must be numbers or datetime64"),
        ({"time": "gaps"}, "data.dataset = Points: time holds float64, or no time: must be numbers or datetime64"),
        ({"time": "y", "groups": "y"}, "data.groups = 'y', data.time = 'y': parts are made by one of them"),
        ({"groups": 3}, "data.groups = 3: must name an attribute of the dataset, or null"),
    ],
)
def test_groups_and_times_that_a_dataset_does_not_have(fields, said):
    dataset = Points()
    dataset.few, dataset.words, dataset.gaps = [1, 2, 3], ["a"] * 120, [float("nan")] * 120
    with pytest.raises(HpsearchError) as error:
        TorchDataset(dataset=dataset, **fields).read()
    assert str(error.value).startswith(said)
