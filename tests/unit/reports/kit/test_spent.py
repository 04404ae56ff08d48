"""How long trials trained, all together."""

import math

import pandas as pd
import pytest

from hpsearch.reports.kit.spent import spent_sec


def test_trials_by_themselves_are_added_up():
    assert spent_sec(pd.DataFrame({"duration_sec": [1.0, 2.5, math.nan]})) == 3.5


def test_of_trials_that_were_trained_together_each_counts_its_share():
    trials = pd.DataFrame({"duration_sec": [4.0, 4.0, 6.0, 5.0], "fused_widths": ["3*2", "3*2", "2*4 2*2", None]})
    assert spent_sec(trials) == pytest.approx(2 + 2 + 2 + 5)


def test_epochs_of_the_plain_loop_count_as_one():
    assert spent_sec(pd.DataFrame({"duration_sec": [6.0], "fused_widths": ["1*5 1*0"]})) == 2.0
