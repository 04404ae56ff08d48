from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.claims import loss_before_accuracy as claim_loss_before_accuracy
from hpsearch.reports.ablation.claims.common import interval_text
from hpsearch.statistics.intervals import estimate
from tests.support.ablations import AGAINST, SUPPORTED, UNDECIDED, arm, evidence, untested


def loss_before_accuracy(table, arms):
    return claim_loss_before_accuracy.loss_before_accuracy(evidence(arms=arms, table=table))


class TestLossBeforeAccuracy:
    def study(self, lags, epochs=12):
        """Trials whose loss is lowest at epoch 4 and whose accuracy is highest `lag` epochs later."""
        rows = [
            {
                **{"point": 0, "seed": seed, "fold": 0, "epoch": epoch},
                **{"valid/loss": abs(epoch - 4.0), "valid/acc": 1 - 0.01 * abs(epoch - 4 - lag)},
            }
            for seed, lag in enumerate(lags)
            for epoch in range(epochs + 1)
        ]
        table = TrialTable("t", {}, pd.DataFrame(), pd.DataFrame(rows), pd.DataFrame())
        return table, [arm([0.9] * len(lags))]

    @pytest.mark.parametrize(
        ("lags", "verdict"),
        [
            ([3, 4, 5], SUPPORTED),
            ([-3, -2, -2], AGAINST),
            ([-1, 0, 2], UNDECIDED),
            ([0, 0, 0], AGAINST),
            ([3], UNDECIDED),
        ],
    )
    def test_the_lag_decides(self, lags, verdict):
        found = loss_before_accuracy(*self.study(lags))
        assert found.verdict == verdict
        assert found.numbers["lag"] == pytest.approx(np.mean(lags)) and found.numbers["loss_epoch"] == 4

    def test_a_loss_that_falls_to_the_end_refutes_nothing(self):
        found = loss_before_accuracy(*self.study([0, 0, 0], epochs=4))
        assert found.verdict == UNDECIDED and "still falling at the end of 3 of 3 trials" in found.sentence

    def test_arms_are_averaged_for_each_seed(self):
        table, (one,) = self.study([2, 4, 6])
        again = table.curves.assign(point=1)
        both = replace(table, curves=pd.concat([table.curves, again]))
        found = loss_before_accuracy(both, [one, replace(one, point=1)])
        assert found.numbers == loss_before_accuracy(table, [one]).numbers

    def test_trials_that_did_not_end_are_left_out(self):
        table, _ = self.study([2, 4, -9])
        assert loss_before_accuracy(table, [arm([0.9, 0.9])]).numbers["lag"] == pytest.approx(3)

    def test_no_lag_has_no_sign(self):
        for lags in ([-0.01, 0.0, 0.0], [0, 0, 0]):  # the first is what averages of many arms give
            assert "−0.0 epochs" not in loss_before_accuracy(*self.study(lags)).sentence
        assert interval_text(estimate([-0.01]), "+z.1f") == "+0.0" and interval_text(estimate([-0.001])) == "0.00"

    def test_untested_where_no_trial_finished(self):
        table, _ = self.study([1, 2])
        untested(loss_before_accuracy(table, [arm([])]), "no trial that finished recorded both")

    def test_no_claim_where_not_both_were_reported(self):
        table, arms = self.study([1, 2])
        assert loss_before_accuracy(replace(table, curves=table.curves.drop(columns="valid/acc")), arms) is None
