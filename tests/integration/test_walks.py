"""The walks of the map are what is passed: each is traced, and its names are met in their order."""

import functools
import importlib
import pkgutil
import re
import sys
from pathlib import Path

import pytest
import torch

import hpsearch

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "hpsearch" / "README.md").read_text(encoding="utf-8")
ELSEWHERE = ("hpsearch.__main__", "hpsearch.cli", "hpsearch.launch.processes", "hpsearch.launch.worker")
ELSEWHERE += ("hpsearch.launch.frames", "hpsearch.launch.slots")
"""Passed in another process, or in front of the call that is traced here."""

pytestmark = pytest.mark.slow


def walk(number, part=0):
    """The names of a walk, or of its part after a paragraph."""
    section = re.search(rf"^## Walk {number}:.*?(?=^## )", TEXT, re.MULTILINE | re.DOTALL).group()
    lists = re.findall(r"(?:^\d+\. .*\n)+", section, re.MULTILINE)
    names = [re.search(r"`(hpsearch[\w.]*:[\w.]+)`", line).group(1) for line in lists[part].splitlines()]
    return [name for name in names if not name.startswith(ELSEWHERE)]


@pytest.fixture
def passed(monkeypatch):
    """The functions of the walks in the order of their calls: each is replaced by one that notes its name."""
    for module in pkgutil.walk_packages(hpsearch.__path__, "hpsearch."):
        if not module.name.endswith("__main__") and ".callbacks." not in module.name:  # they need their libraries
            importlib.import_module(module.name)
    torch.set_num_threads(1)
    calls = []
    for name in {*walk(1), *walk(2), *walk(2, part=1), *walk(3)}:
        module, _, path = name.partition(":")
        *owner, attribute = path.split(".")
        home = functools.reduce(getattr, owner, importlib.import_module(module))
        function = getattr(home, attribute)
        noted = noting(function, name, calls)
        monkeypatch.setattr(home, attribute, noted)
        for other in [each for key, each in sys.modules.items() if key.startswith("hpsearch")]:
            if vars(other).get(attribute) is function:
                monkeypatch.setattr(other, attribute, noted)
    return calls


def noting(function, name, calls):
    @functools.wraps(function)
    def noted(*args, **kwargs):
        calls.append(name)
        return function(*args, **kwargs)

    return noted


def assert_in_order(names, passed):
    left = iter(passed)
    for name in names:
        assert name in passed, f"{name} is never passed"
        assert any(each == name for each in left), f"{name} is passed, but not after the one before it"


SMALL = ["data.train_size=64", "trainer.epochs=2", "launcher=inline"]


def test_from_a_word_to_the_update(tmp_path, monkeypatch, passed):
    monkeypatch.chdir(tmp_path)
    hpsearch.study.single.run_trial(["optimizer.lr=0.1", "tracker=none", *SMALL])
    assert_in_order(walk(1), passed)


def test_from_a_report_to_the_pruner_and_to_mlflow(tmp_path, monkeypatch, passed):
    monkeypatch.chdir(tmp_path)
    space = "space.optimizer.lr=choice(0.1, 0.2)"
    hpsearch.study.api.run_study(["+study=lr_sweep", "pruner=median", "study.seeds=1", space, *SMALL])
    assert_in_order(walk(2), passed)
    assert set(walk(2, part=1)) <= set(passed)  # in a thread of its own


def test_from_a_swept_batch_size_to_its_sentence(tmp_path, monkeypatch, passed):
    monkeypatch.chdir(tmp_path)
    words = [
        "space.data.batch_size=choice(16, 32)",
        "ablation.points=2",
        "ablation.seeds=1",
        "study.seeds=2",
        "tracker=none",
        *SMALL,
        "trainer.steps=4",
        "nuisance.optimizer.lr=choice(0.1, 0.2)",
    ]
    hpsearch.study.api.run_study(["+study=batch_size", *words])
    assert_in_order(walk(3), passed)
