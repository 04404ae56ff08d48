from functools import partial

import pytest
import torch

from hpsearch.base.types import Decision
from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.models.resnet import ResNet
from hpsearch.trial.loop import train
from tests.support.jobs import curve, drive, make_job, same_weights, weights

SHAPE = (1, 8, 8)


def images():
    generator = torch.Generator().manual_seed(3)
    parts = [Split(torch.rand(24, *SHAPE, generator=generator), torch.arange(24) % 3) for _ in range(2)]
    return Splits(*parts, None, SHAPE, 3, "classification", ("a", "b", "c"), "digest")


def make(folder, channels_last):
    # With 4 channels oneDNN reads beyond its tensors on some CPUs, and repeats differ or crash (torch 2.13).
    model = partial(ResNet, SHAPE, 3, blocks=(1, 1), width=16, norm="group")
    return make_job(folder, make_model=model, splits=images(), lr=0.01, channels_last=channels_last)


def is_channels_last(job):
    layer = job.model.features[1].residual[1]
    return layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_the_layout_does_not_change_the_training(tmp_path):
    plain, other = make(tmp_path / "a", False), make(tmp_path / "b", True)
    (first, _), (second, _) = drive(train(plain)), drive(train(other))
    assert (is_channels_last(plain), is_channels_last(other)) == (False, True)
    for before, after in zip(first[1:], second[1:], strict=True):
        assert after.metrics["valid/loss"] == pytest.approx(before.metrics["valid/loss"], rel=1e-4)


def test_a_resumed_trial_goes_on_bit_for_bit_in_that_layout(tmp_path):
    whole, halted, resumed = make(tmp_path / "a", True), make(tmp_path / "b", True), make(tmp_path / "b", True)
    expected, _ = drive(train(whole))
    drive(train(halted), lambda message: Decision.PAUSE if message.epoch == 2 else Decision.CONTINUE)
    messages, _ = drive(train(resumed))
    assert curve(messages) == curve(expected)
    assert same_weights(weights(resumed), weights(whole))
