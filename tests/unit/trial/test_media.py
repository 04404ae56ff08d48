"""What a trial logs, as files."""

import io

import matplotlib.figure
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
from PIL import Image

from hpsearch.base.errors import ConfigError
from hpsearch.base.media import MOST_BYTES
from hpsearch.trial import media
from hpsearch.trial.media import save


def picture(folder, value):
    saved = save(folder, "x", value, 1)
    assert saved.kind == "png"
    return np.asarray(Image.open(folder / saved.path))


RAMP = np.linspace(0, 1, 6).reshape(2, 3)
COLOURS = np.arange(24).reshape(2, 4, 3)


@pytest.mark.parametrize(
    ("value", "pixels"),
    [
        (RAMP, np.array([[0, 51, 102], [153, 204, 255]])),
        (RAMP.astype(np.float32)[..., None], np.array([[0, 51, 102], [153, 204, 255]])),
        (COLOURS.astype(np.uint8), COLOURS),
        (COLOURS, COLOURS),
        (torch.from_numpy(COLOURS).permute(2, 0, 1), COLOURS),
        (torch.from_numpy(RAMP).bfloat16()[None].requires_grad_(), np.array([[0, 51, 102], [153, 204, 255]])),
        (np.array([[True, False]]), np.array([[255, 0]])),
        (np.array([[-3.0, np.nan, 2.0]]), np.array([[0, 0, 255]])),
        (Image.fromarray(COLOURS.astype(np.uint8)), COLOURS),
    ],
    ids=["grey", "one channel", "colours", "whole numbers", "tensor", "bfloat16", "bools", "beyond", "pil"],
)
def test_pictures(tmp_path, value, pixels):
    assert picture(tmp_path, value) == pytest.approx(pixels, abs=1)


def test_a_picture_of_another_mode_and_one_that_is_too_large_fit(tmp_path):
    assert picture(tmp_path, Image.new("CMYK", (2, 2))).shape == (2, 2, 3)
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    assert picture(tmp_path, noise).shape == (450, 600, 3)
    assert (tmp_path / "media/x/1.png").stat().st_size <= MOST_BYTES


def test_figures(tmp_path):
    figure = matplotlib.figure.Figure()
    figure.subplots().plot([1, 2])
    assert picture(tmp_path, figure).shape[0] > 100
    drawn = go.Figure(go.Scatter(y=[1, 2]))
    saved = save(tmp_path, "y", drawn, 2)
    assert saved.path == "media/y/2.json"
    assert (tmp_path / saved.path).read_text() == drawn.to_json()
    with pytest.raises(ConfigError, match=r"has .* bytes: must have 1,048,576 at most"):
        save(tmp_path, "y", go.Figure(go.Scatter(text=["a" * MOST_BYTES])), 3)


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x, y", None]}),
        [{"a": 1, "b": "x, y"}, {"a": 2}],
        {"a": [1, 2], "b": ["x, y", None]},
    ],
    ids=["frame", "rows", "columns"],
)
def test_tables(tmp_path, value):
    saved = save(tmp_path, "t", value, 1)
    assert (tmp_path / saved.path).read_text() == 'a,b\n1,"x, y"\n2,\n'
    assert saved.kind == "csv"


def test_a_text_is_kept_and_one_that_is_too_long_is_cut_at_a_line(tmp_path):
    assert (tmp_path / save(tmp_path, "t", "häh\n", 1).path).read_text(encoding="utf-8") == "häh\n"
    long = "".join(f"line {n}\n" for n in range(200_000))
    content = (tmp_path / save(tmp_path, "t", long, 2).path).read_bytes()
    assert len(content) <= MOST_BYTES
    kept, _, said = content.decode().rpartition("\n")
    assert said == "... the rest is left out"
    assert long.startswith(kept + "\n")


def test_one_of_the_same_name_and_epoch_is_replaced_whatever_its_kind(tmp_path):
    save(tmp_path, "t", "a", 1)
    save(tmp_path, "t", RAMP, 1)
    save(tmp_path, "t", "b", 2)
    assert sorted(path.name for path in (tmp_path / "media/t").iterdir()) == ["1.png", "2.txt"]


def test_a_trial_keeps_so_many(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(media, "MOST_FILES", 2)
    for epoch in range(1, 4):
        save(tmp_path, "t", "a", epoch)
    assert len(list((tmp_path / "media/t").iterdir())) == 2
    assert "'t' is left out: the trial has 2 files already" in capsys.readouterr().err
    assert save(tmp_path, "t", "b", 2) is not None


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".a", "a" * 61, 3, "ä"])
def test_a_name_that_is_no_part_of_a_path_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"hpsearch.log: name = .*: must be letters, digits"):
        save(tmp_path, name, "text", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (3, "int"),
        (None, "NoneType"),
        (object(), "object"),
        ([1, 2], r"numbers \[2\]"),
        (np.zeros((2, 3, 5)), r"numbers \[2, 3, 5\]"),
        (np.zeros((0, 3)), r"numbers \[0, 3\]"),
        (b"bytes", "bytes"),
        (["a"], "list"),
    ],
)
def test_anything_else_is_refused(tmp_path, value, what):
    with pytest.raises(ConfigError, match=rf"hpsearch.log: 'x' is {what}: must be a picture"):
        save(tmp_path, "x", value, 1)


def test_a_picture_of_another_package_than_the_known_is_read_as_numbers(tmp_path):
    class Held:
        def __array__(self, dtype=None, copy=None):
            return np.zeros((2, 2))

    assert picture(tmp_path, Held()).shape == (2, 2)


def test_what_was_saved_can_be_read_by_anyone(tmp_path):
    content = (tmp_path / save(tmp_path, "x", RAMP, 1).path).read_bytes()
    assert Image.open(io.BytesIO(content)).format == "PNG"
