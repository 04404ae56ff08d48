"""Seeds that change nothing are one replicate, wherever a spread would stand."""

import math
import re

import pytest

from hpsearch import compare, load_trials, run_search
from hpsearch.cli import run
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import answer as ablation_answer
from hpsearch.reports.ablation.sentences import caveats as ablation_caveats
from hpsearch.study.tables import table_of

SPREAD = re.compile(r"±|interval \d|n = 3")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def deaf(x, seed):
    for epoch in range(1, 4):
        yield {"valid/acc": x * epoch}


def hearing(x, seed):
    for epoch in range(1, 4):
        yield {"valid/acc": x * epoch + seed / 100}


def lucky(x, seed):
    """The scores are the same whatever the seed, the curves are not."""
    for epoch in range(1, 4):
        yield {"valid/acc": x * epoch, "train/loss": seed / epoch}


def half(x, seed):
    yield {"valid/acc": x if x == 2 else x + seed / 100}


def folded(x, fold):
    yield {"valid/acc": x + fold}


def search(function, **given):
    options = {"space": {"x": "choice(1, 2)"}, "sampler": "grid", "pruner": "none", "tracker": "none", "seeds": 3}
    words = ["launcher=inline", *given.pop("overrides", ())]
    return run_search(function, overrides=words, **(options | given))


def test_the_answer_the_pages_the_terminal_and_the_list_say_n_is_1(folder, capsys):
    outcome = search(deaf)
    assert (outcome.best.n, outcome.best.mean) == (1, 6) and math.isnan(outcome.best.sd)
    assert "(the seeds change nothing: n = 1, so no spread and no interval can be given)" in outcome.answer
    assert len(load_trials("deaf")) == 6
    page, readme = ((folder / "studies" / "deaf" / name).read_text() for name in ("report.html", "README.md"))
    assert "The seeds change nothing: all trials of a point measured the same" in readme
    assert not SPREAD.search(readme) and "| 1 |  | COMPLETE |" in readme.replace("*", "")
    assert "the seeds change nothing: n = 1" in page and "± 0" not in page
    assert run(["list"]) == 0
    assert "6.00 (1 trial) at x=2" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("function", [hearing, lucky])
def test_seeds_that_change_anything_are_replicates(function, folder):
    outcome = search(function)
    assert outcome.best.n == 3 and math.isfinite(outcome.best.sd)
    assert "n = 3 seeds" in outcome.answer
    assert "change nothing" not in (folder / "studies" / function.__name__ / "README.md").read_text()


def test_a_point_of_which_they_change_nothing_is_named_among_others(folder):
    outcome = search(half)
    assert (outcome.best.params, outcome.best.n) == ({"x": 2}, 1)
    readme = (folder / "studies" / "half" / "README.md").read_text()
    assert "The seeds change nothing in 1 of 2 points" in readme
    rows = [line.replace("*", "").split(" | ") for line in readme.splitlines() if "COMPLETE" in line]
    assert [cells[-3] for cells in rows if len(cells) > 3] == ["3", "1"]


def test_folds_are_replicates_whatever_the_seeds_do():
    outcome = search(folded, overrides=["data.folds=2"])
    assert (outcome.best.n, outcome.best.mean) == (2, 2.5) and outcome.best.sd == pytest.approx(math.sqrt(0.5))


def test_a_comparison_claims_no_interval():
    search(deaf)
    search(hearing)
    said = compare("deaf", "hearing")
    assert "without three seeds on both sides (the seeds change nothing in deaf) no interval can be given" in said


def test_a_study_that_goes_on_counts_them_once_too():
    assert search(deaf, points=1).best.n == 1
    outcome = search(deaf, points=2)
    assert (outcome.best.n, outcome.best.params) == (1, {"x": 2})


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (deaf, "The seeds change nothing: n = 1 there, and no interval and no test is claimed."),
        (half, "The seeds change nothing in x = 2: n = 1 there"),
    ],
)
def test_an_ablation_claims_no_interval(function, said):
    search(function)
    found = ablation_of(table_of(function.__name__))
    assert "the seeds change nothing: n = 1, so no interval is claimed" in ablation_answer(found)
    assert any(line.startswith(said) for line in ablation_caveats(found))
    (difference,) = found.differences
    assert difference.verdict == "not compared" and difference.why.startswith("the seeds change nothing in x = ")
