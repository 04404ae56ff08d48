"""A study read from its store alone, after its folder is gone, is the one that was recorded."""

import math
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpsearch import load_curves, load_trials
from hpsearch.base.types import Report
from hpsearch.tracking import sender
from hpsearch.tracking.client_writer import ClientWriter
from hpsearch.tracking.embedded_writer import EmbeddedWriter
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.query import table_from_events, table_from_mlflow
from hpsearch.tracking.record import Record
from hpsearch.tracking.store import sqlite_path
from tests.support import fake_study as fake
from tests.support.names import KINDS

NUMBERS = st.floats() | st.sampled_from([0.1, -0.0, 1e300, 5e-324, math.pi * 1e-5])
KEYS = st.sampled_from(sorted(KINDS.values())) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WRITERS = {"ours": lambda uri, place: EmbeddedWriter(sqlite_path(uri), place), "client": ClientWriter}


def write(folder, keys, values, spells=1):
    """Write a trial whose metrics and hyperparameters have these names, in so many epochs, each with more of them."""
    record = Record(folder)
    fake.open_study(record)
    made = fake.spec(folder, 0, **{key: index + 0.1 for index, key in enumerate(keys)})
    fake.start(record, made)
    for epoch in range(spells):
        known = keys[: -(-len(keys) * (epoch + 1) // spells)]
        metrics = {key: values[(place + epoch) % len(values)] for place, key in enumerate(known)}
        end = [(4, dict(zip(keys, values, strict=False)))] if epoch == spells - 1 else ()
        record.message(
            made.id, Report(epoch, 2 * epoch, metrics, ((2 * epoch, 0.5),), fake.TIME + epoch, end=tuple(end))
        )
        record.flush()
        yield epoch
    facts = {key: f"fact of {place}" for place, key in enumerate(keys)}
    fake.finish(record, made, facts=facts)
    record.close()


def assert_same(ours, theirs):
    assert (ours.ends is None) == (theirs.ends is None)
    for part in ("trials", "curves", "steps") if ours.ends is None else ("trials", "curves", "steps", "ends"):
        pd.testing.assert_frame_equal(getattr(ours, part), getattr(theirs, part), check_exact=True)
    assert ours.study == theirs.study


@pytest.mark.parametrize("way", WRITERS)
def test_names_of_every_kind_come_back(tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    uri, folder = fake.new_store(tmp_path), tmp_path / "studies" / "lr_sweep"
    monkeypatch.setattr(sender, "open_writer", WRITERS[way])
    keys = [*KINDS.values()]
    for _ in write(folder, keys, [1 / (place + 1) for place in range(len(keys))], spells=3):
        sync(folder, uri)
        assert_same(table_from_events(folder), table_from_mlflow(uri, "lr_sweep"))
    sync(folder, uri)
    known, trials, curves = table_from_events(folder), load_trials("lr_sweep"), load_curves("lr_sweep")
    assert {*keys} - {*trials.columns} <= {"score"} and trials["准确率"][0] == 1.1
    shutil.rmtree(folder)
    assert_same(known, table_from_mlflow(uri, "lr_sweep"))
    pd.testing.assert_frame_equal(load_trials("lr_sweep"), trials, check_exact=True)
    pd.testing.assert_frame_equal(load_curves("lr_sweep"), curves, check_exact=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(keys=st.lists(KEYS, min_size=1, max_size=6, unique=True), values=st.lists(NUMBERS, min_size=1, max_size=7))
def test_drawn_names_and_values_come_back(tmp_path_factory, keys, values):
    place = tmp_path_factory.mktemp("drawn")
    uri, folder = fake.new_store(place), place / "studies" / "lr_sweep"
    for _ in write(folder, keys, values, spells=2):
        sync(folder, uri)
    sync(folder, uri)
    known = table_from_events(folder)
    shutil.rmtree(folder)
    assert_same(known, table_from_mlflow(uri, "lr_sweep"))


def test_a_function_that_was_given_from_python_has_the_same_command(tmp_path):
    uri, record = fake.new_store(tmp_path), Record(tmp_path / "studies" / "lr_sweep")
    fake.open_study(record)
    made = fake.spec(record.folder, 0)
    fake.train(record, replace(made, config={**made.config, "trainer": {"_target_": "hpsearch_given.train"}}))
    record.close()
    sync(record.folder, uri)
    assert_same(table_from_events(record.folder), table_from_mlflow(uri, "lr_sweep"))
    assert table_from_mlflow(uri, "lr_sweep").trials["command"][0].startswith("# from Python: ")
