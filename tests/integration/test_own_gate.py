"""A gate of a project's own: one file, one function, one YAML and one line in a recipe."""

import json
import re
import shutil
import sys

import pytest

from hpsearch import run_study
from hpsearch.study.existing import rebuild_report

GATE = """
from dataclasses import dataclass
from typing import ClassVar

from hpsearch.study.stages.base import Finding, Verdict


@dataclass(frozen=True, slots=True)
class Zeros:
    title: ClassVar[str] = "Count the zeros"
    question: ClassVar[str] = "How many inputs are zero?"

    most: float = 0.9
    on_fail: str = "stop"

    def run(self, context):
        found = context.measure("my_gates.measurements:zeros", context.config(), parts=["train", "valid"])
        worst = max(found.values())
        verdict = Verdict.PASS if worst <= self.most else Verdict.FAIL
        return Finding(verdict, f"{worst:.0%} of the inputs are zero", {"worst": worst}, series={"shares": found})

    @staticmethod
    def figure(finding, metric):
        from hpsearch.reports.kit.canvas import axis_style, draw

        shares = finding.series["shares"]
        bars = {"type": "bar", "x": list(shares), "y": list(shares.values())}
        return "One bar per part of the data.", draw([bars], {"yaxis": axis_style("zeros")}, "Share of zeros.")
"""
MEASUREMENT = """
def zeros(job, parts):
    return {part: float((getattr(job.splits, part).x == 0).float().mean()) for part in parts}
"""
OPTION = """# @package stages.zeros
# Counts inputs that are zero.
_target_: my_gates.zeros.Zeros
most: 0.9
on_fail: stop
"""
RECIPE = """# @package _global_
# A recipe with a gate of our own.
defaults:
  - override /stage:
      - zeros
      - determinism
  - _self_
study:
  question: Is the data full?
space:
  optimizer.lr: tag(log, interval(1e-3, 1))
"""
WORDS = ("+study=filled", "study.name=filled", "data=digits", "model.hidden=[8]", "launcher=inline")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a package and its configuration: the four places, an empty package and the list of plugins."""
    files = {
        "my_gates/__init__.py": "",
        "my_gates/zeros.py": GATE,
        "my_gates/measurements.py": MEASUREMENT,
        "my_conf/stage/zeros.yaml": OPTION,
        "my_conf/study/filled.yaml": RECIPE,
        "my_conf/plugins.yaml": "plugins: [my_gates]",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_gates"]:
        del sys.modules[name]


def drawn(page):
    """Return the figures of a page, by the name of the stage."""
    found = re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(text)["data"] for name, text in found}


def test_a_gate_of_ones_own_runs_and_is_drawn_and_drawn_again(project):
    words = [
        "+study=filled",
        "study.name=filled",
        "data=digits",
        "model.hidden=[8]",
        "launcher=inline",
        "stages.determinism.steps=2",
    ]
    outcome = run_study(words, config_dirs=["my_conf"])
    zeros = outcome.findings["zeros"].series["shares"]
    assert outcome.failed is None and 0.3 < zeros["train"] < 0.7
    page = outcome.report.read_text()
    assert "Count the zeros" in page and "How many inputs are zero?" in page
    assert drawn(page)["zeros"][0]["y"] == [zeros["train"], zeros["valid"]]
    assert rebuild_report("filled", config_dirs=["my_conf"]).read_text() == page
    shutil.rmtree(project / "studies")
    again = rebuild_report("filled", config_dirs=["my_conf"])  # from the tracking store alone
    assert drawn(again.read_text()) == drawn(page)
    bare = rebuild_report("filled").read_text()  # a recorded study does not say which code may be imported
    assert "Count the zeros" not in bare and "of the inputs are zero" in bare and "zeros" not in drawn(bare)


def test_a_gate_of_ones_own_stops_the_recipe(project):
    outcome = run_study([*WORDS, "tracker=none", "stages.zeros.most=0.1"], config_dirs=["my_conf"])
    assert (outcome.failed, outcome.exit_code, list(outcome.findings)) == ("zeros", 3, ["zeros"])
