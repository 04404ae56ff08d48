"""Commands as they are printed."""

import pytest

from hpsearch.base.commands import ui_command

MLFLOW = "hpsearch.tracking.mlflow.MlflowTracker"
TRACKERS = {
    "default": ({"_target_": MLFLOW, "uri": None}, "python -m hpsearch ui"),
    "server": (
        {"_target_": MLFLOW, "uri": "http://me:s3cret@host:5000"},
        "python -m hpsearch ui 'tracker.uri=http://me:***@host:5000'",
    ),
    "none": ({"_target_": "hpsearch.tracking.base.NoTracker"}, ""),
}


@pytest.mark.parametrize("name", TRACKERS)
def test_what_opens_the_store_of_a_study_names_it(name):
    tracker, wanted = TRACKERS[name]
    assert ui_command({"tracker": tracker}) == wanted
    assert ui_command({"tracker": tracker}, "mine") == wanted.replace(" ui", " ui mine")
