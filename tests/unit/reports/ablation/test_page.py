"""The page of an ablation: what it shows of arms, whole, lost, or with one seed."""

import html
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.reports.ablation.figures import ablation_figures
from hpsearch.reports.ablation.method import method
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.page import (
    ablation_stills,
    arm_table,
    commands_of,
    render_ablation,
    sections,
)
from hpsearch.reports.ablation.sentences import answer, caveats
from hpsearch.reports.ablation.write import write_ablation
from hpsearch.reports.kit.page import VIEWS
from tests.support import synthetic
from tests.support.html import Page


def both(**changes):
    table = synthetic.ablation(**changes)
    return ablation_of(table, synthetic.searched_arms(table))


def claimed(**changes):
    table, tuning = synthetic.momenta(**changes)
    return ablation_of(table, tuning)


COMMAND = "python -m hpsearch +study=batch_activation"
CURVES = ["curves-acc", "curves-loss"]
CLAIMS = ["claim-times", "claim-epochs"]  # that two batch sizes can speak of
STUDIES = {
    "two factors": {},
    "one factor": {"units": ("relu",)},
    "an arm without a finished trial": {"lost": (4,)},
    "a lost reference": {"lost": (0,)},
    "no arm finished": {"lost": range(6)},
    "one seed": {"seeds": 1},
    "twenty seeds": {"seeds": 20, "epochs": 2},
    "all claims": {},
    "all claims, one seed": {"seeds": 1},
}


@pytest.fixture(params=STUDIES)
def made(request):
    changes = STUDIES[request.param]
    return claimed(**changes) if request.param.startswith("all claims") else both(**changes)


def section(found, title):
    return next(each.table for each in sections(found) if each.title == title)


def figures(text):
    found = re.findall(r'<script type="application/json" id="([\w-]+)-data">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(data) for name, data in found}


def test_every_ablation_gives_a_well_formed_page(made):
    found = made
    text = render_ablation(found, COMMAND)
    page = Page(text)
    assert page.stack == []
    assert page.all("b") == page.all("i") == []
    said = " ".join("".join(page.text).split())
    for sentence in (found.question, answer(found), *caveats(found), *(each.result.sentence for each in found.claims)):
        assert " ".join(sentence.split()) in said
    assert "arms" in figures(text)
    assert {name for name, *_ in ablation_stills(found)()} == {f"{name}.svg" for name in figures(text)} - {
        "curves-more.svg"
    }


def test_the_main_figure_of_two_factors_is_a_map_with_intervals_on_hover():
    found = both()
    drawn = figures(render_ablation(found, COMMAND))
    assert list(drawn) == [
        "map",
        "arms",
        "differences",
        *CURVES,
        "curves-more",
        "target",
        *CLAIMS,
        "tuning-optimizer-lr",
    ]
    (heat,) = drawn["map"]["data"]
    assert heat["z"] == [
        [pytest.approx(found.arms[column * 3 + row].score.mean) for column in range(2)] for row in range(3)
    ]
    assert "95 % interval" in heat["hovertext"][1][0] and "t interval" in heat["hovertext"][1][0]
    texts = [note["text"] for note in drawn["map"]["layout"]["annotations"]]
    assert len(texts) == 6 and all("±" in text for text in texts)


def test_of_a_loss_the_smallest_mean_is_the_furthest_from_the_background():
    found = both()
    name, *_, figure = next(ablation_figures(found))
    scale = figure.data[0].colorscale
    found.table.study["objective"] = {"metric": "valid/acc", "direction": "minimize"}
    turned = next(ablation_figures(ablation_of(found.table)))[3].data[0].colorscale
    assert name == "map"
    assert [colour for _, colour in turned] == [colour for _, colour in reversed(scale)]
    assert [place for place, _ in turned] == sorted(place for place, _ in turned)


def test_every_seed_and_every_interval_is_drawn():
    found = both()
    traces = figures(render_ablation(found, COMMAND))["arms"]["data"]
    seeds = [trace for trace in traces if "error_x" not in trace]
    assert [trace["x"] for trace in seeds] == [pytest.approx(list(arm.score.values)) for arm in found.arms]
    for trace, arm in zip((trace for trace in traces if "error_x" in trace), found.arms, strict=True):
        assert trace["x"][0] + trace["error_x"]["array"][0] == pytest.approx(arm.score.shown.high)
        assert trace["x"][0] - trace["error_x"]["arrayminus"][0] == pytest.approx(arm.score.shown.low)


def test_a_lost_arm_says_so_in_its_lane_and_its_cell():
    found = both(lost=(4,))
    drawn = figures(render_ablation(found, COMMAND))
    assert "no finished trial, 3 diverged" in [note["text"] for note in drawn["arms"]["layout"]["annotations"]]
    assert "diverged" in [note["text"] for note in drawn["map"]["layout"]["annotations"]]
    assert drawn["map"]["data"][0]["z"][1][1] is None


def test_censored_times_are_drawn_open_and_counted():
    found = both(units=("relu", "tanh"), batches=(32, 128, 512, 2048))
    traces = {trace["name"]: trace for trace in figures(render_ablation(found, COMMAND))["target"]["data"]}
    missed = sum(cost.to_target["epochs"].missed for cost in found.costs)
    assert missed > 0
    assert len(traces["stopped before it"]["x"]) in (missed, 3 * missed)
    assert traces["stopped before it"]["marker"]["symbol"].endswith("-open")
    assert any(
        "not reached" in cell.text
        for row in section(found, "Towards the target and at the end").rows
        for cell in row.cells
    )


def test_the_table_of_arms_sorts_by_numbers_and_replays_each():
    found = both()
    arms = arm_table(found)
    place = {name: i for i, name in enumerate(arms.headings)}
    for row, arm in zip(arms.rows, found.arms, strict=True):
        assert row.cells[place["valid/acc"]].value == pytest.approx(arm.score.mean)
        assert row.cells[place["95 % interval"]].text.endswith(" (t)")
        assert row.cells[place["95 % interval"]].value == pytest.approx(arm.score.shown.high - arm.score.shown.low)
        assert row.command.startswith("python -m hpsearch data.batch_size=")
    assert arms.rows[0].cells[place["verdict"]].text == "reference"
    compared = {each.arm: each for each in found.differences}
    for row, arm in list(zip(arms.rows, found.arms, strict=True))[1:]:
        assert row.cells[place["difference"]].value == pytest.approx(compared[arm.name].difference.mean)
        assert row.cells[place["p (Holm)"]].value == pytest.approx(compared[arm.name].p_holm)
    assert [row.best for row in arms.rows].count(True) == 1


def test_a_page_reads_like_a_report_that_is_handed_in():
    found = both()
    for printed in (False, True):
        text = render_ablation(found, COMMAND, printed)
        heads = re.findall(r"<h[12][^>]*>(.*?)</h[12]>|Figure \d+: (.*?)[.,<]", text)
        read = [html.unescape(one or other) for one, other in heads]
        beliefs = "What cannot be told" if printed else "Before you believe it"
        order = (
            found.question,
            "Arms",
            "Training and validation loss of the arms",
            "Time and size",
            "Claims",
            "Method",
            beliefs,
            "Set-up",
        )
        places = [read.index(title) for title in order]
        assert places == sorted(places), read
        assert read[-2] == ("Commands" if printed else "Go on")


def test_the_method_says_what_was_trained_held_tuned_and_compared():
    said = method(both())
    assert "6 arms (batch size 32, 128; " in said and "each trained over the same 3 seeds" in said
    assert "Tuned for every arm by itself: learning rate, 5 settings over " in said
    assert "Arms are compared by valid/acc with batch size 32" in said and "Holm" in said
    assert "over one seed" in method(both(seeds=1))


def test_on_paper_every_table_is_whole_every_figure_numbered_and_nothing_can_be_clicked():
    found = both()
    text = render_ablation(found, COMMAND, printed=True)
    page = Page(text)
    assert page.stack == []
    assert not {"script", "button", "input", "select", "noscript"} & {tag for tag, _ in page.elements}
    assert re.findall(r"Figure (\d+):", text) == [str(n) for n in range(1, len(page.all("img")) + 1)]
    shown = [section for section in sections(found) if section.title != "Claims"]
    assert re.findall(r"<caption>Table (\d+): ", text) == [str(n) for n in range(1, len(shown) + 1)]
    body = re.findall(r"<tr[^>]*>(.*?)</tr>", text)
    assert len(body) == sum(1 + len(section.table.rows) for section in shown)
    cells = [html.unescape(cell) for row in body for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
    assert sorted(cells) == sorted(c.text for section in shown for row in section.table.rows for c in row.cells)
    menus = {
        name: next((len(menu.buttons) for menu in figure.layout.updatemenus), 1)
        for name, *_, figure in ablation_figures(found)
        if name != "curves-more"
    }
    assert max(menus.values()) > 1
    assert len(page.all("img")) == sum(min(views, VIEWS) for views in menus.values())
    assert all(image["src"].startswith("data:image/svg+xml;base64,") and image["alt"] for image in page.all("img"))
    assert "Hover" not in text and "“Copy”" not in text


def test_one_seed_claims_no_interval():
    found = both(seeds=1)
    arms = arm_table(found)
    place = arms.headings.index("95 % interval")
    assert {row.cells[place].text for row in arms.rows} == {"one seed: none"}
    assert "no interval is claimed" in answer(found)


def test_twenty_seeds_show_the_bootstrap_interval():
    found = both(seeds=20, epochs=2)
    arms = arm_table(found)
    place = arms.headings.index("95 % interval")
    assert all(row.cells[place].text.endswith(" (BCa)") for row in arms.rows)


def test_the_verdict_stands_right_behind_the_interval_where_it_is_seen_without_scrolling():
    found = both()
    headings = arm_table(found).headings
    assert headings.index("verdict") == headings.index("95 % interval") + 1


def test_numbers_below_the_arms_sort_as_numbers_too():
    found = both()
    costs = section(found, "Time and size")
    times = [row.cells[costs.headings.index("per epoch")].value for row in costs.rows]
    assert times == [pytest.approx(cost.epoch_sec.mean) for cost in found.costs]
    ranks = section(found, "Ranking")
    assert [row.cells[0].value for row in ranks.rows] == [rank.place for rank in found.ranking]


def test_the_best_arm_can_be_trained_again_by_the_command_of_its_first_seed(tmp_path):
    found = both()
    found = ablation_of(replace(found.table, trials=found.table.trials.iloc[::-1]))
    commands = dict(commands_of(found, COMMAND))
    best = next(arm for arm in found.arms if arm.score.mean == max(each.score.mean for each in found.arms))
    again = f"python -m hpsearch data.batch_size={best.levels['data.batch_size']} seed=0"
    assert commands["train the best arm again"] == again
    page = write_ablation(found, COMMAND, tmp_path / "study")
    readme = (page.parent / "README.md").read_text()
    assert f"# train the best arm again\n{again}\n" in readme
    assert "python -m hpsearch report batch_activation\n" in readme


def test_what_it_leaves_is_complete_and_the_readme_shows_its_figures(tmp_path):
    table = synthetic.ablation()
    tuning = synthetic.searched_arms(table)
    page = write_ablation(ablation_of(table, tuning), COMMAND, tmp_path / "study")
    left = {path.name for path in page.parent.iterdir()}
    images = {"map.svg", "arms.svg", "differences.svg", "target.svg", "tuning-optimizer-lr.svg"}
    images |= {f"{name}.svg" for name in (*CURVES, *CLAIMS)}
    tables = {"trials.csv": table.trials, "curves.csv": table.curves, "tuning.csv": tuning.trials}
    assert left == {"report.html", "README.md", *tables, *images}
    assert all(len(pd.read_csv(page.parent / name)) == len(rows) > 0 for name, rows in tables.items())
    text = (page.parent / "README.md").read_text()
    assert text.index("](map.svg)") < text.index("## Arms")
    assert all(f"]({name})" in text for name in images)
    assert "<b>" not in text and "<i>" not in text


def test_page_says_why_the_search_and_the_arms_ended():
    arms = synthetic.ablation()
    whys = ("all 30 cells of the grid are done", "all 6 points of the list are done")
    tuning, table = (
        replace(each, study={**each.study, "state": {"state": "COMPLETE", "why": why}})
        for each, why in zip((synthetic.searched_arms(arms), arms), whys, strict=True)
    )
    told = ablation_of(table, tuning).took
    assert told.endswith(f"The search ended because {whys[0]}; the arms ended because {whys[1]}.")
