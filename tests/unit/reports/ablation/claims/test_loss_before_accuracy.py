from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.claims import loss_before_accuracy as claim_loss_before_accuracy
from tests.support.ablations import AGAINST, SUPPORTED, UNDECIDED, arm, evidence, untested


def loss_before_accuracy(table, arms):
    return claim_loss_before_accuracy.loss_before_accuracy(evidence(arms=arms, table=table))


class TestLossBeforeAccuracy:
    def study(self, lags, epochs=20):
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
            ([7, 8, 9], SUPPORTED),
            ([2, 2, 2], SUPPORTED),  # a tenth of training
            ([1, 1, 1], UNDECIDED),  # a twentieth
            ([-3, -2, -2], AGAINST),
            ([-1, 0, 2], UNDECIDED),
            ([0, 0, 0], AGAINST),
            ([3], UNDECIDED),
        ],
    )
    def test_the_lag_decides(self, lags, verdict):
        found = loss_before_accuracy(*self.study(lags))
        assert found.verdict == verdict
        assert found.numbers["lag[]"] == pytest.approx(np.mean(lags) / 20)
        assert set(found.series["x"]) == {0.2}

    def test_it_is_a_share_of_training_with_its_interval(self):
        found = loss_before_accuracy(*self.study([7, 8, 9]))
        # 8 of 20 epochs; t at 2 degrees of freedom, 4.303, times 1 / sqrt(3) epochs.
        assert "in 1 of 1 arm: +40 % (+28 to +52)" in found.sentence

    def test_a_loss_that_falls_to_the_end_refutes_nothing(self):
        found = loss_before_accuracy(*self.study([0, 0, 0], epochs=4))
        assert found.verdict == UNDECIDED
        assert "still falling at the end of 1 of 1 arm: its minimum was not seen" in found.sentence

    def test_every_arm_must_show_it_on_its_own(self):
        table, (one,) = self.study([7, 8, 9])
        late, _ = self.study([-1, 0, 2])
        both = replace(table, curves=pd.concat([table.curves, late.curves.assign(point=1)]))
        found = loss_before_accuracy(both, [replace(one, name="a"), replace(one, point=1, name="b")])
        assert found.verdict == UNDECIDED and "in 1 of 2 arms: a: +40 % (+28 to +52); b: " in found.sentence
        assert found.numbers["later"] == 1
        again = replace(table, curves=pd.concat([table.curves, table.curves.assign(point=1)]))
        assert loss_before_accuracy(again, [one, replace(one, point=1)]).verdict == SUPPORTED

    def test_arms_whose_minimum_was_not_seen_are_not_judged(self):
        table, (one,) = self.study([7, 8, 9])
        short, _ = self.study([0, 0, 0], epochs=4)
        both = replace(table, curves=pd.concat([table.curves, short.curves.assign(point=1)]))
        found = loss_before_accuracy(both, [one, replace(one, point=1)])
        assert found.verdict == SUPPORTED
        assert found.sentence.endswith("the loss was still falling at the end of 1 of 2 arms")

    def test_trials_that_did_not_end_are_left_out(self):
        table, _ = self.study([2, 4, -9])
        assert loss_before_accuracy(table, [arm([0.9, 0.9])]).numbers["lag[]"] == pytest.approx(0.15)

    def test_no_lag_has_no_sign(self):
        sentence = loss_before_accuracy(*self.study([0, 0, 0])).sentence
        assert "−0 %" not in sentence and "+0 %" in sentence

    def test_untested_where_no_trial_finished(self):
        table, _ = self.study([1, 2])
        untested(loss_before_accuracy(table, [arm([])]), "no trial that finished recorded both")

    def test_no_claim_where_not_both_were_reported(self):
        table, arms = self.study([1, 2])
        assert loss_before_accuracy(replace(table, curves=table.curves.drop(columns="valid/acc")), arms) is None
