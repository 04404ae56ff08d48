"""How a group convolves: measured on a GPU, kept with the choice, and the way that its layers take."""

import pytest
import torch

from hpsearch.nn import stacked
from hpsearch.trial.fused import choosing, fusing
from hpsearch.trial.fused.choosing import Choice, choice_of
from tests.support.fused import DIGITS, alone, assert_same, make, together
from tests.support.recording import Recording
from tests.support.steps import make_cases, make_members

CASES = make_cases()


@pytest.fixture
def times(monkeypatch):
    """A GPU on which groups that unfold are the fastest; what was measured of them."""
    asked = []

    def group_ms(job, width, way):
        asked.append((width, way))
        return {"grouped": 2.0, "unfolded": 1.0, "auto": 3.0}[way]

    monkeypatch.setattr(choosing, "accelerator", lambda _: Recording())
    monkeypatch.setattr(choosing, "_group_ms", group_ms)
    monkeypatch.setattr(choosing, "_timed", lambda *_: 10.0)
    return asked


def test_the_fastest_way_on_a_gpu_is_taken_and_kept(tmp_path, times):
    (job,) = make_members(tmp_path, CASES["lenet"], count=1)
    choice = choice_of(job, tmp_path, 16, measures=True)
    assert choice == Choice(16, "measured", {1: 10.0, 8: 1.0, 16: 1.0}, "unfolded")
    assert times == [(8, "grouped"), (8, "unfolded"), (8, "unfolded"), (16, "unfolded")]
    times.clear()
    assert choice_of(job, tmp_path, 16, measures=True) == choice and not times


@pytest.mark.parametrize(("case", "more"), [("dropout", {}), ("lenet", {"deterministic": True})])
def test_nothing_is_tried_without_convolutions_or_where_the_same_bits_are_promised(tmp_path, times, case, more):
    (job,) = make_members(tmp_path, {**CASES[case], **more}, count=1)
    assert choice_of(job, tmp_path, 8, measures=True).convolution == "auto"
    assert times == [(8, "auto")]


def test_a_processor_takes_the_way_of_the_rule(tmp_path, times, monkeypatch):
    monkeypatch.undo()
    (job,) = make_members(tmp_path, CASES["lenet"], count=1)
    assert choosing._convolution(job, 8) == "auto"


def test_a_group_convolves_the_way_that_was_chosen(tmp_path, monkeypatch):
    made, right = [], stacked.parts_of
    monkeypatch.setattr(stacked, "parts_of", lambda model, way: made.append(way) or right(model, way))
    (job,) = make_members(tmp_path, CASES["lenet"], count=1)
    group = fusing.group_of(job, 4, "unfolded").args[0]
    assert group._convolution == "unfolded"
    monkeypatch.setattr(fusing, "_groups", {fusing.key_of(job): group})
    together([job])
    assert "unfolded" in made


def test_channels_last_is_no_matter_of_values(tmp_path):
    words = [*DIGITS, "trainer.epochs=1", "model=small_conv", "model.channels=[3,4]", "model.hidden=[8]"]
    words += ["trainer.channels_last=true"]
    jobs, twins = ([make(words, tmp_path / name / str(k), k) for k in range(2)] for name in ("fused", "plain"))
    assert fusing.fault(jobs[0]) == ""
    for found, twin in zip(together(jobs), twins, strict=True):
        assert_same(found, alone(twin))
    assert twins[0].model.state_dict()  # which was laid out so
    weight = next(each for each in twins[0].model.parameters() if each.ndim == 4 and each.shape[1] > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)
