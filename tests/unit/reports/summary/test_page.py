import json
import re

import pytest

from hpsearch.reports.kit.page import script_json
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.numbers import find, summarize
from hpsearch.reports.summary.page import render, tiles, write_report
from hpsearch.reports.summary.sentences import answer
from tests.support import studies, synthetic
from tests.support.html import Page


def test_every_study_gives_a_well_formed_page(study):
    page = Page(studies.page(study))
    assert page.stack == []
    assert answer(summarize(studies.table(study))) in " ".join(page.text)
    shown = [e["id"] for e in page.all("div") if e.get("class") == "figure"]
    assert shown[0] in ("score", "pareto")
    assert shown[-4:] == ["curves", "history", "parallel", "timeline"]


def test_the_page_asks_for_nothing():
    page = Page(studies.page("sweep"))
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    style = (e for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in next(style)["content"]
    assert len(page.all("script")) == 5 + 1 + 2  # figures, dark colours, plotly, ours


def test_what_users_wrote_is_text():
    text = studies.page("mixed")
    page = Page(text)
    assert "<script>alert('model')</script>" in "".join(page.text)
    assert "alert('model')</script>" not in text
    assert "Which <b>settings</b> & models train best?" in "".join(page.text)
    assert page.all("b") == []
    troubled = studies.page("troubled")
    assert "RuntimeError: <script>alert('x')</script> & </script>" in "".join(Page(troubled).text)
    assert "<script>alert" not in troubled


def test_script_json_cannot_end_its_element():
    hostile = {"a": "</script><!--", "b": "\u2028 & <"}
    text = script_json(hostile)
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text) == hostile


def test_the_figures_data_are_json():
    text = studies.page("sweep")
    found = re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text, re.S)
    assert [name for name, _ in found] == ["score", "curves", "history", "parallel", "timeline"]
    for _, data in found:
        assert set(json.loads(data)) >= {"data", "layout"}


def test_figures_have_headings_and_alternative_texts():
    page = Page(studies.page("sweep"))
    figures = [e for e in page.all("div") if e.get("class") == "figure"]
    assert all(e["role"] == "img" and len(e["aria-label"]) > 20 for e in figures)
    ids = {e["id"] for _, e in page.elements if "id" in e}
    labelled = [e["aria-labelledby"] for _, e in page.elements if "aria-labelledby" in e]
    assert labelled
    assert set(labelled) <= ids


def test_every_trial_is_in_the_table_with_its_command():
    table = synthetic.sweep()
    page = Page(studies.page("sweep"))
    copied = [e["data-copy"] for e in page.all("button") if "data-copy" in e]
    assert set(table.trials.command) <= set(copied)
    assert "python -m hpsearch ui" in copied
    assert "python -m hpsearch report lr_sweep" in copied


def test_key_numbers():
    values = {tile.label: (tile.value, tile.note) for tile in tiles(summarize(synthetic.sweep()))}
    assert values["Best valid/acc"] == ("0.977", "± 0.003 sd over 3 seeds; 95 % interval 0.969–0.984")
    assert values["Best learning rate"][0] == "0.0464"
    edge = "half of the seeds fail at about 1.47, 95 % interval 0.969 to 2.22"
    assert values["Learning rate that trains"] == ("0.00464 – 1", edge)
    assert values["Trials"] == ("39", "● 33 complete, ✕ 6 infeasible")


def test_an_empty_study_has_dashes_for_numbers():
    values = {tile.label: tile.value for tile in tiles(summarize(synthetic.empty()))}
    assert values["Best valid/acc"] == "–"
    assert values["Trials"] == "0"


def test_the_page_stays_light():
    assert len(studies.page("sweep").encode()) < 6 * 2**20


@pytest.mark.long
def test_the_page_of_2000_points_stays_light():
    found = find(synthetic.mixed(points=2000))
    assert len(render(found, list(figures(found))).encode()) < 10 * 2**20


def test_the_same_study_gives_the_same_page():
    found = find(synthetic.sweep())
    assert render(found, list(figures(found))) == studies.page("sweep")


def test_write_leaves_all_files(tmp_path):
    path = write_report(synthetic.troubled(), tmp_path / "deep" / "study")
    assert path == tmp_path / "deep" / "study" / "report.html"
    assert sorted(p.name for p in path.parent.iterdir()) == [
        *("README.md", "curves.svg", "report.html", "score.svg", "trials.csv"),
    ]
