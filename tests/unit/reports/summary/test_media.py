"""What trials logged, on the page: of the best, the median and the worst point, as data."""

import io
import json

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from hpsearch.base.media import Medium
from hpsearch.base.types import TrialId
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.media import logged_media
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.page import render
from tests.support import synthetic
from tests.support.html import Page


def png(shade):
    buffer = io.BytesIO()
    Image.fromarray(np.full((2, 2), shade, dtype=np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def table_with(contents):
    """Return a study whose every complete trial logged the same files, by path."""
    from dataclasses import replace

    table = synthetic.sweep(rates=(0.01, 0.03, 0.1, 0.3), seeds=2)
    media = {Medium.of(path): content for path, content in contents.items()}
    rows = table.trials[["point", "seed", "fold"]].itertuples(index=False)
    return replace(table, media={TrialId(*map(int, row)): media for row in rows})


def shown(contents):
    table = table_with(contents)
    return logged_media(table, find(table).summary)


def page(contents):
    table = table_with(contents)
    found = find(table)
    return render(found, list(figures(found)))


def test_the_last_one_of_the_best_the_median_and_the_worst_point_is_shown():
    (logged,) = shown({"media/grid/1.png": png(0), "media/grid/12.png": png(255), "media/grid/9.png": png(3)})
    summary = find(table_with({})).summary
    ranked = sorted(summary.eligible, key=lambda point: -point.mean)
    assert [each.title.partition(":")[0] for each in logged.shown] == [
        f"{role}, point {ranked[place].point}" for role, place in (("Best", 0), ("Median", 1), ("Worst", 3))
    ]
    assert all(each.title.endswith("epoch 12") for each in logged.shown)
    assert len({each.image for each in logged.shown}) == 1


def test_points_are_not_shown_twice_and_studies_without_media_have_no_part():
    assert shown({}) == ()
    assert "media-1-title" not in page({})


def test_every_kind_is_on_the_page_and_asks_for_nothing():
    drawn = go.Figure(go.Bar(y=[1, 2])).to_json().encode()
    csv = b"name,score\n<b>x</b>,0.5\n"
    text = page({
        "media/a/1.png": png(1),
        "media/b/1.json": drawn,
        "media/c/1.csv": csv,
        "media/d/1.txt": b"<script>x</script>",
    })
    read = Page(text)
    assert read.stack == []
    assert len([each for each in read.all("img") if each["src"].startswith("data:image/png;base64,")]) == 3
    assert all(each.get("alt") for each in read.all("img"))
    assert "<b>x</b>" in "".join(read.text) and "<script>x</script>" in "".join(read.text)
    assert read.all("b") == []
    assert sum(each.get("class") == "figure" and each["id"].startswith("media-") for each in read.all("div")) == 3
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_what_a_stranger_wrote_stays_data():
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    assert "cannot be shown" in shown({"media/a/1.png": svg})[0].shown[0].text
    assert "cannot be shown" in shown({"media/a/1.json": b"[1"})[0].shown[0].text
    assert "cannot be shown" in shown({"media/a/1.json": b'{"data": 3}'})[0].shown[0].text
    assert "cannot be shown" in shown({"media/a/1.csv": b""})[0].shown[0].text
    away = "http://example.org/x.png"
    asks = {
        "data": [{"type": "scattermap"}, {"type": "scatter", "y": [1]}],
        "layout": {"images": [{"source": away}], "map": {"style": away}, "title": {"text": "kept"}},
    }
    figure = json.loads(shown({"media/a/1.json": json.dumps(asks).encode()})[0].shown[0].figure.data)
    assert [trace["type"] for trace in figure["data"]] == ["scatter"]
    assert figure["layout"]["title"]["text"] == "kept"
    assert away not in json.dumps(figure)


def test_much_is_cut():
    rows = "a,b\n" + "1,2\n" * 100
    long = "x" * 10_000
    table, text = (
        shown({path: content.encode()})[0].shown[0]
        for path, content in (("media/a/1.csv", rows), ("media/a/1.txt", long))
    )
    assert len(table.table.rows) == 20
    assert len(text.text) < 4100 and text.text.endswith("…")
    assert len(shown({f"media/{name}/1.txt": b"x" for name in "abcdefghijk"})) == 8
