"""`report NAME --print` and `--tables`: what they leave of a search, a recipe and two studies."""

import re

import pytest

import hpsearch
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.study.run_stages import to_dict
from hpsearch.study.stages.base import Finding, Verdict
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake
from tests.support.html import Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with two searches of two points and two seeds, and a recipe."""
    folder = tmp_path_factory.mktemp("work")
    for name in ("lr_sweep", "other"):
        record = Record(folder / "studies" / name)
        fake.open_study(record)
        for point, lr in enumerate((0.01, 0.1)):
            for seed in range(2):
                fake.train(record, fake.spec(record.folder, point, seed, **{"optimizer.lr": lr}))
        record.study("state", fake.TIME, state="COMPLETE", answer="It is found.")
        record.close()
    record = Record(folder / "studies" / "recipe")
    stages = {"initial_loss": {"_target_": "hpsearch.study.stages.initial_loss.InitialLoss"}}
    fake.open_study(record, recipe=["initial_loss"], config={"stages": stages})
    found = to_dict(Finding(Verdict.PASS, "a loss of 2.30", {"loss": 2.3}))
    record.study("stage", fake.TIME, name="initial_loss", **found)
    record.study("state", fake.TIME, state="COMPLETE", answer="It trains.", why="", replay="python -m hpsearch seed=1")
    record.close()
    return folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("lr_sweep",), ["Which learning rates train this model?", "What cannot be told", "python -m hpsearch"]),
        (("recipe",), ["It trains.", "A loss of 2.30", "python -m hpsearch seed=1"]),
        (("lr_sweep", "other"), ["side by side", "Best points", "python -m hpsearch report lr_sweep other"]),
    ],
)
def test_every_kind_of_report_is_printed(folder, names, said):
    path = hpsearch.print_report(*names)
    assert path == folder / "studies" / "_vs_".join(names) / "print.html"
    page = Page(path.read_text())
    assert page.stack == []
    assert not {"script", "button", "input", "select"} & {tag for tag, _ in page.elements}
    text = " ".join("".join(page.text).split())
    assert all(each in text for each in said)
    images = len(page.all("img"))
    assert re.findall(r"Figure (\d+):", text) == [str(n) for n in range(1, images + 1)]
    assert (images > 0) == (names != ("recipe",))
    assert "size: A4" in path.read_text()


@pytest.mark.parametrize(
    ("names", "titles"),
    [(("lr_sweep",), ["Points", "Trials"]), (("recipe",), ["Stages"]), (("lr_sweep", "other"), ["Best points"])],
)
def test_the_tables_of_every_kind_of_report_are_written(folder, names, titles):
    latex, markdown = hpsearch.export_tables(*names)
    assert (latex.name, markdown.name, latex.parent) == (
        "tables.tex",
        "tables.md",
        folder / "studies" / "_vs_".join(names),
    )
    for title in titles:
        assert f"\\caption{{{title}." in latex.read_text() and f"## {title}\n" in markdown.read_text()


def test_no_trial_is_left_out_of_what_is_exported(folder):
    text = hpsearch.export_tables("lr_sweep")[1].read_text()
    rows = text[text.index("## Trials") :].splitlines()
    assert sum(line.startswith("| ") for line in rows) == 2 + 4


def test_what_cannot_be_printed_is_refused_and_leaves_nothing(folder):
    before = sorted(folder.rglob("*"))
    for call in (hpsearch.print_report, hpsearch.export_tables):
        with pytest.raises(StorageError, match="no study 'lr_swep'"):
            call("lr_swep")
        with pytest.raises(ConfigError, match="two different studies are needed"):
            call("lr_sweep", "lr_sweep")
        with pytest.raises(ConfigError, match="is a recipe"):
            call("lr_sweep", "recipe")
    assert sorted(folder.rglob("*")) == before
