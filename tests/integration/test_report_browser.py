"""The report in a real browser: it draws, sorts, copies, fits a phone, turns dark, and runs nothing a user wrote."""

from dataclasses import replace

import pytest

from hpsearch.base.files import replace_text
from hpsearch.reports.ablation.arm_by_arm import arm_by_arm, shared_figure, shared_table, told
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.page import render_ablation
from hpsearch.reports.comparison.page import Added, write_comparison
from hpsearch.reports.kit.points import objective_of
from hpsearch.reports.recipe.page import write_notebook
from hpsearch.reports.summary.page import write_report
from hpsearch.study.run_stages import stage_views
from tests.support import synthetic
from tests.support.browser import DESKTOP, NEEDED, PHONE, chromium, colours, errors, keep, keep_paper, load, wait

STUDIES = {
    "sweep": synthetic.sweep,
    "mixed": synthetic.mixed,
    "searched": synthetic.searched,
    "troubled": synthetic.troubled,
    "empty": synthetic.empty,
}
REPLAY = "python -m hpsearch optimizer.lr=0.1"
ANSWERS = ("What one found.", "What the other found.")
ALWAYS = ["score", "curves", "history", "parallel", "timeline"]
SEARCH = ["pareto", "importance", "contour", "ranks", "slices", "diverged", "ranges", "pruning"]

pytestmark = NEEDED


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    written = {name: write_report(make(), folder / name) for name, make in STUDIES.items()}
    sides = (synthetic.sweep(), synthetic.slower())
    written["comparison"] = write_comparison(sides, ANSWERS, folder / "comparison")
    arms = synthetic.ablation(lost=(4,))
    other = replace(synthetic.ablation(seeds=3, epochs=5), name="shorter")
    shared, names, objective = arm_by_arm(arms, other), (arms.name, other.name), objective_of(arms.study)
    figure = shared_figure(shared, *names, objective.metric)
    added = Added(told(shared, *names), shared_table(shared, *names, objective), (figure,))
    written["ablations"] = write_comparison((arms, other), ANSWERS, folder / "ablations", added)
    page = render_ablation(ablation_of(arms, synthetic.searched_arms(arms)), REPLAY)
    written["ablation"] = replace_text(folder / "ablation" / "report.html", page)
    arms, tuning = synthetic.momenta()
    page = render_ablation(ablation_of(arms, tuning), REPLAY)
    written["claims"] = replace_text(folder / "claims" / "report.html", page)
    recipe = synthetic.recipe()
    return {**written, "recipe": write_notebook(recipe, stage_views(recipe), REPLAY, folder / "recipe")}


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        *(("sweep", DESKTOP, "light"), ("sweep", DESKTOP, "dark"), ("sweep", PHONE, "light")),
        *(("mixed", DESKTOP, "light"), ("mixed", PHONE, "dark"), ("troubled", DESKTOP, "light")),
        *(("searched", DESKTOP, "light"), ("searched", PHONE, "dark"), ("empty", PHONE, "light")),
    ],
)
def test_every_figure_draws_without_an_error_and_the_page_fits(chrome, pages, name, width, scheme):
    load(chrome, pages[name], width, scheme)
    drawn = chrome.execute_script(
        "return [...document.querySelectorAll('.figure')].map((f) => [f.id, f.matches('.js-plotly-plot'),"
        " f.querySelectorAll('svg.main-svg').length, f.querySelectorAll('.trace').length])"
    )
    names = [figure for figure, *_ in drawn]
    assert [name for name in names if name in ALWAYS] == ALWAYS
    assert set(SEARCH if name == "searched" else []) <= set(names)
    for figure, plotly, layers, traces in drawn:
        assert plotly, figure
        assert layers, figure
        assert traces or name == "empty", figure
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert errors(chrome) == []
    keep(chrome, f"report-{name}-{width}-{scheme}")


@pytest.mark.parametrize("name", ["recipe", "ablation", "searched"])
def test_a_page_that_begins_without_room_draws_itself_again_when_it_has_some(chrome, pages, name):
    narrow = {"source": "document.addEventListener('readystatechange', () => (document.body.style.width = '30px'))"}
    script = chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", narrow)
    try:
        load(chrome, pages[name], PHONE)
    finally:
        chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert errors(chrome) == []
    for step in ("390px", "900px", ""):
        chrome.execute_script(f"document.body.style.width = '{step}'; dispatchEvent(new Event('resize'))")
    room = "[...document.querySelectorAll('.figure')].every((f) => f._fullLayout.width >= 300)"
    wait(chrome, f"return {room}", 10)
    assert errors(chrome) == []


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_the_page_of_a_recipe_draws_and_copies(chrome, pages, width, scheme):
    from selenium.webdriver.common.by import By

    load(chrome, pages["recipe"], width, scheme)
    assert chrome.execute_script("return document.querySelectorAll('.figure svg.main-svg').length") >= 6
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert errors(chrome) == []
    keep(chrome, f"recipe-{width}-{scheme}")
    chrome.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    chrome.find_element(By.CSS_SELECTOR, ".replay .copy").click()
    wait(chrome, "return document.querySelector('.replay .copy').textContent === 'Copied'")
    assert chrome.execute_script("return window.copied") == REPLAY


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
def test_two_studies_stand_side_by_side(chrome, pages, width, scheme):
    load(chrome, pages["comparison"], width, scheme)
    traces = (
        "return ['best', 'overlay', 'curves'].map((f) => document.getElementById(f).querySelectorAll('.trace').length)"
    )
    assert min(chrome.execute_script(traces)) >= 2
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert column(chrome, "differences", "key") == ["optimizer.momentum"]
    assert press(chrome, "points", "study") == "ascending"
    assert press(chrome, "points", "study") == "descending"
    assert column(chrome, "points", "study") == ["slower", "lr_sweep"]
    assert errors(chrome) == []
    keep(chrome, f"comparison-{width}-{scheme}")


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")])
def test_an_ablation_draws_and_its_tables_sort(chrome, pages, width, scheme):
    load(chrome, pages["ablation"], width, scheme)
    drawn = chrome.execute_script(
        "return [...document.querySelectorAll('.figure')].map((f) => [f.id, f.querySelectorAll('svg.main-svg').length])"
    )
    names = ["map", "arms", "differences", "curves-acc", "curves-loss", "curves-more", "target"]
    names += ["claim-times", "claim-epochs", "tuning-optimizer-lr"]
    assert [name for name, _ in drawn] == names
    assert all(layers for _, layers in drawn)
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert press(chrome, "table", "valid/acc") == "ascending"
    means = [float(text) for text in column(chrome, "table", "valid/acc") if text != "–"]
    assert len(means) == 5 and means == sorted(means)
    assert "<b>gelu</b>" in chrome.execute_script("return document.querySelector('#table').innerText")
    assert errors(chrome) == []
    keep(chrome, f"ablation-{width}-{scheme}")


def test_the_verdict_on_an_arm_is_seen_without_scrolling(chrome, pages):
    for name, table in (("ablation", "table"), ("ablations", "arms")):
        load(chrome, pages[name], 1200)
        script = (
            "const heads = [...document.querySelectorAll('#' + arguments[0] + ' th')];"
            "const found = heads.find((h) => h.innerText.trim().startsWith('verdict'));"
            "return found.getBoundingClientRect().right"
            " <= document.getElementById(arguments[0]).parentElement.getBoundingClientRect().right"
        )
        assert chrome.execute_script(script, table), name
        assert errors(chrome) == []


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_two_ablations_stand_side_by_side(chrome, pages, width, scheme):
    load(chrome, pages["ablations"], width, scheme)
    assert chrome.execute_script("return document.querySelectorAll('#differences .trace').length") >= 1
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert press(chrome, "arms", "difference") == "ascending"
    gaps = [float(text) for text in column(chrome, "arms", "difference") if text != "–"]
    assert len(gaps) == 5 and gaps == sorted(gaps)
    assert errors(chrome) == []
    keep(chrome, f"ablations-{width}-{scheme}")


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_the_claims_of_an_ablation_draw_and_fit(chrome, pages, width, scheme):
    load(chrome, pages["claims"], width, scheme)
    script = (
        "return [...document.querySelectorAll('[id^=claim-].figure')].map((f) => [f.id, f.scrollWidth > f.clientWidth])"
    )
    names = ("rates", "best-rates", "updates", "times", "epochs")
    assert chrome.execute_script(script) == [[f"claim-{name}", False] for name in names]
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert errors(chrome) == []
    keep(chrome, f"claims-{width}-{scheme}")


def test_the_map_of_an_ablation_tells_intervals_on_hover_and_costs_change_their_unit(chrome, pages):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    load(chrome, pages["ablation"])
    cell = chrome.find_element(By.CSS_SELECTOR, "#map .nsewdrag")
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    size = cell.size
    ActionChains(chrome).move_to_element_with_offset(cell, -size["width"] // 4, -size["height"] // 3).perform()
    told = wait(chrome, "return [...document.querySelectorAll('#map .hovertext')].map((h) => h.textContent).join()")
    assert "95 % interval" in told and "n = 3" in told
    Select(chrome.find_element(By.CSS_SELECTOR, "#target-controls select")).select_by_visible_text("seconds")
    wait(chrome, "return document.getElementById('target').layout.xaxis.title.text.startsWith('seconds')")


@pytest.mark.parametrize("name", ["sweep", "searched", "ablation"])
def test_the_page_prints(chrome, pages, name):
    load(chrome, pages[name], scheme="dark")
    assert keep_paper(chrome, f"report-{name}-paper").startswith(b"%PDF")
    assert errors(chrome) == []


def test_the_page_makes_no_request(chrome, pages):
    load(chrome, pages["sweep"])
    assert chrome.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)") == []


def test_what_a_user_wrote_shows_as_text_and_never_runs(chrome, pages):
    chrome.execute_cdp_cmd("Page.enable", {})
    load(chrome, pages["mixed"])
    assert "<script>alert('model')</script>" in chrome.execute_script(
        "return document.querySelector('#trials').innerText"
    )
    assert "<b>settings</b> & models" in chrome.execute_script("return document.querySelector('h1').innerText")
    axis = chrome.execute_script("return document.querySelector('#parallel').innerHTML")
    assert "&lt;script&gt;" in axis and "<script" not in axis
    option = chrome.execute_script("return [...document.querySelectorAll('#score-controls option')].map((o) => o.text)")
    assert option[0] == "learning rate"
    assert errors(chrome) == []


def column(chrome, table, heading):
    script = """
        const table = document.getElementById(arguments[0]);
        const headings = [...table.tHead.rows[0].cells].map((c) => c.textContent.trim());
        return [...table.tBodies[0].rows].map((r) => r.cells[headings.indexOf(arguments[1])].textContent.trim());
    """
    return chrome.execute_script(script, table, heading)


def press(chrome, table, heading):
    """Sort by the keyboard: focus the heading's button and press Enter."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    button = chrome.find_element(By.XPATH, f"//table[@id='{table}']//th/button[normalize-space()='{heading}']")
    button.send_keys(Keys.ENTER)
    return chrome.execute_script("return arguments[0].closest('th').getAttribute('aria-sort')", button)


def test_a_table_sorts_by_the_keyboard_and_keeps_empty_cells_last(chrome, pages):
    load(chrome, pages["sweep"])
    before = column(chrome, "trials", "valid/acc")
    press(chrome, "trials", "point")
    press(chrome, "trials", "point")
    assert column(chrome, "trials", "valid/acc")[0] == ""
    assert press(chrome, "trials", "valid/acc") == "ascending"
    rising = column(chrome, "trials", "valid/acc")
    assert press(chrome, "trials", "valid/acc") == "descending"
    falling = column(chrome, "trials", "valid/acc")
    numbers = [float(text) for text in before if text]
    assert [float(text) for text in rising if text] == sorted(numbers)
    assert [float(text) for text in falling if text] == sorted(numbers, reverse=True)
    assert rising[-6:] == falling[-6:] == [""] * 6
    assert press(chrome, "trials", "state") == "ascending"
    states = column(chrome, "trials", "state")
    assert states == sorted(states, key=lambda text: text.split()[-1])


def test_the_filter_narrows_the_table(chrome, pages):
    from selenium.webdriver.common.by import By

    load(chrome, pages["sweep"])
    chrome.find_element(By.ID, "filter").send_keys("diverged at step")
    shown = chrome.execute_script(
        "return [...document.querySelectorAll('#trials tbody tr')].filter((r) => !r.hidden).length"
    )
    assert shown == 6
    assert chrome.find_element(By.ID, "shown").text == "6 of 39"


def test_menus_become_controls_of_the_page(chrome, pages):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    load(chrome, pages["sweep"])
    assert chrome.execute_script("return document.querySelectorAll('.updatemenu-container').length") == 0
    opacity = "return document.getElementById('curves').data.map((t) => t.opacity)"
    smoothed = chrome.execute_script(opacity)
    chrome.find_element(By.XPATH, "//div[@id='curves-controls']//button[.='raw']").click()
    wait(chrome, "return document.getElementById('curves').data.every((t) => t.opacity !== 0.22)")
    assert chrome.execute_script(opacity) != smoothed
    Select(chrome.find_element(By.CSS_SELECTOR, "#curves-controls select")).select_by_visible_text("train/loss")
    wait(chrome, "return document.getElementById('curves').layout.yaxis.title.text === 'train/loss'")
    assert chrome.execute_script("return document.getElementById('curves').layout.yaxis.type") == "log"
    chrome.find_element(By.XPATH, "//div[@id='score-controls']//button[.='near the best']").click()
    wait(chrome, "return document.getElementById('score').layout.yaxis.range[0] > 0.8")


def test_choices_survive_a_change_of_colours(chrome, pages):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    load(chrome, pages["sweep"])
    Select(chrome.find_element(By.CSS_SELECTOR, "#curves-controls select")).select_by_visible_text("valid/loss")
    ink = "return document.getElementById('curves').layout.font.color"
    light = chrome.execute_script(ink)
    colours(chrome, "dark")
    wait(chrome, f"return (() => {{ {ink} }})() !== '{light}'")
    wait(chrome, "return document.getElementById('curves').layout.yaxis.title.text === 'valid/loss'")


def test_copy_takes_the_command(chrome, pages):
    from selenium.webdriver.common.by import By

    load(chrome, pages["sweep"])
    chrome.execute_script(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    chrome.find_element(By.CSS_SELECTOR, ".replay .copy").click()
    wait(chrome, "return document.querySelector('.replay .copy').textContent === 'Copied'")
    command = chrome.find_element(By.CSS_SELECTOR, ".replay code").text
    assert chrome.execute_script("return window.copied") == command
    assert command.startswith("python -m hpsearch optimizer.lr=0.0464159 seed=")


def test_paper_gets_light_figures_that_fit(chrome, pages):
    load(chrome, pages["sweep"], scheme="dark")
    chrome.execute_script("dispatchEvent(new Event('beforeprint'))")
    wait(chrome, "return document.getElementById('timeline').layout.font.color === '#1c2128'")
    widths = chrome.execute_script("return [...document.querySelectorAll('.figure')].map((f) => f._fullLayout.width)")
    assert max(widths) <= 680
    chrome.execute_script("dispatchEvent(new Event('afterprint'))")
    wait(chrome, "return document.getElementById('timeline').layout.font.color === '#e8ecf1'")
