"""The arms of an ablation."""

from hpsearch.reports.ablation.arms import level
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.tables import arm_rows
from hpsearch.reports.kit.cells import texts
from tests.support.ablations import study


def test_levels_that_are_nearly_equal_are_two_arms():
    found = ablation_of(study({(32, 0.9001): [0.8, 0.9], (32, 0.9002): [0.7, 0.9]}))
    assert [arm.name for arm in found.arms] == ["batch size 32, momentum 0.9001", "batch size 32, momentum 0.9002"]
    assert len(found.differences) == 1 and "reference" not in texts(arm_rows(found)[1])[1]
    assert (
        level(0.1 + 0.2) == "0.3" and level(1e-4) == "0.0001" and level(1234567) == "1234567" and level(True) == "true"
    )
