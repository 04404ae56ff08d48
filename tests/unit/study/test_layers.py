"""`show layers RUN`: what it draws of a trial, and what it refuses."""

import json

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.files import LAYERS
from hpsearch.cli import run
from hpsearch.study.layers import show_layers
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake
from tests.support.html import Page


def row(epoch, first):
    outputs = {"a.act": {"mean": 0.0, "sd": 0.5, "dead": 0.25, "saturated": None}}
    return {
        **{"epoch": epoch, "step": epoch, "loss": 1.0, "gradient": {"a": first, "b": 1.0}},
        **{"weight": {"a": 2.0, "b": 2.0}, "update": {"a": 0.002, "b": 0.004}, "outputs": outputs},
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A study of a trial with layers and one without."""
    monkeypatch.chdir(tmp_path)
    record = Record(tmp_path / "studies" / "lr_sweep")
    fake.open_study(record)
    for seed in range(2):
        fake.train(record, fake.spec(record.folder, 0, seed, **{"optimizer.lr": 0.1}))
    record.close()
    place = tmp_path / "studies" / "lr_sweep" / "trials" / "0-0-0"
    place.mkdir(parents=True, exist_ok=True)
    (place / LAYERS).write_text(json.dumps([row(1, 0.0001), row(2, 0.0002)]))
    return place


def test_the_layers_of_a_trial_are_drawn_and_told(folder, capsys):
    assert run(["show", "layers", "lr_sweep/0/0", "tracker=none"]) == 0
    out = capsys.readouterr().out
    assert "lr_sweep/0/0: The layers show vanishing gradients (the gradient vanishes in a: 0.0002 of" in out
    names = ["layers.html", *(f"layers-{key}.svg" for key in ("gradient", "update", "activation", "dead"))]
    assert [line.rpartition("/")[2] for line in out.splitlines()[1:]] == names
    assert all((folder / name).is_file() for name in names)
    page = Page((folder / "layers.html").read_text())
    cells = [each["data-v"] for each in page.all("td") if "data-v" in each]
    assert page.stack == [] and cells == ["0.0004", "0.001", "2.0", "0.002", "0.5", "0.25"]


def test_a_trial_without_layers_is_refused_in_one_line(folder):
    before = sorted(folder.parents[2].rglob("*"))
    with pytest.raises(StorageError, match=r"trial lr_sweep/0/1 has no layers\.json: its layers were not watched"):
        show_layers("lr_sweep/0/1", overrides=["tracker=none"])
    with pytest.raises(ConfigError, match="must be an MLflow run id"):
        show_layers("nothing")
    assert sorted(folder.parents[2].rglob("*")) == before


def test_a_damaged_file_is_refused_too(folder):
    (folder / LAYERS).write_text("[{")
    with pytest.raises(StorageError, match=r"has no layers\.json"):
        show_layers("lr_sweep/0/0", overrides=["tracker=none"])
