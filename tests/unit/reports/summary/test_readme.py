import io
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from hpsearch.reports.kit.beside import begin_stills
from hpsearch.reports.kit.still import still
from hpsearch.reports.kit.tables import best_command, trials_csv
from hpsearch.reports.summary.figures.curves import curves_figure
from hpsearch.reports.summary.figures.score import score_figure
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.readme import readme, readme_figures, write_readme
from hpsearch.reports.summary.sentences import answer
from tests.support import studies, synthetic


def test_the_readme_of_the_main_job():
    table = synthetic.sweep()
    text = readme(studies.found("sweep"), ["score", "curves"])
    assert "**Which learning rates train this model, and where does it diverge?**" in text
    assert answer(summarize(table)) in text
    assert "| **5** | **0.0464** | **0.977** | **0.003** | **0.969–0.984** | **3** | **3 of 3** | **COMPLETE**" in text
    assert "| 12 | 10 | – | – | – | 0 | 0 of 3, fails | INFEASIBLE |" in text
    assert "Fixed, not searched" in text
    assert "python -m hpsearch +study=lr_sweep\n" in text


def test_the_command_is_that_of_the_best_trial():
    table = synthetic.sweep()
    best = table.trials[table.trials.point == 5].sort_values("score").iloc[-1]
    assert best_command(table, summarize(table)) == best.command
    assert best_command(synthetic.empty(), summarize(synthetic.empty())) == ""


def test_every_study_has_a_readme_and_figures(study, tmp_path):
    pictures = begin_stills(readme_figures(studies.drawn(study)))()
    text = write_readme(studies.found(study), pictures, tmp_path).read_text()
    assert text.startswith("# ")
    shown = re.findall(r"!\[.*\]\((.*)\)", text)
    assert {"score.svg", "curves.svg"} <= set(shown)
    assert sorted(shown) == sorted(path.name for path in tmp_path.glob("*.svg"))
    for name in shown:
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")


def test_what_users_wrote_is_text():
    text = readme(studies.found("mixed"), [])
    prose = "".join(text.split("```")[::2])  # commands in their block are text anyway
    assert "<" not in prose
    assert "&lt;script&gt;" in prose
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1


def test_long_tables_show_the_best():
    text = readme(studies.found("many"), [])
    assert "The 40 best of 300 points" in text
    assert text.count("COMPLETE") == 40


def test_figures_are_the_same_bytes_every_time():
    table = synthetic.sweep()
    for once, again in (
        (score_figure(summarize(table)), score_figure(summarize(table))),
        (curves_figure(table, summarize(table)), curves_figure(table, summarize(table))),
    ):
        assert still(once) == still(again)
        assert "<dc:date>" not in still(once)


@pytest.mark.parametrize("name", ["a$b$c", "<&>", "x_y^2"])
def test_names_are_not_read_as_formulas(name):
    table = synthetic.sweep(seeds=2, epochs=2)
    renamed = table.trials.rename(columns={"optimizer.lr": name})
    study = {**table.study, "space": {name: "tag(log, interval(1e-3, 10))"}}
    svg = still(score_figure(summarize(type(table)(table.name, study, renamed, table.curves, table.steps))))
    texts = [element.text for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]
    assert name in texts


def test_the_csv_reads_back():
    table = synthetic.troubled()
    back = pd.read_csv(io.StringIO(trials_csv(table)))
    assert list(back.columns)[:6] == ["point", "seed", "fold", "state", "score", "duration_sec"]
    pd.testing.assert_series_equal(back["score"], table.trials["score"])
    assert back["optimizer.lr"].tolist() == table.trials["optimizer.lr"].tolist()
    assert set(back.columns) == set(table.trials.columns)
