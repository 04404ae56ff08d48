"""The tables of an ablation."""

from dataclasses import replace

import pytest

from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import caveats
from hpsearch.reports.ablation.tables import difference_rows, ranking_aid
from tests.support.ablations import grid, study


@pytest.mark.parametrize("metric", ["valid/acc", "valid/loss"])
def test_a_share_has_no_difference_above_one(metric):
    table = study({(32, 0.0): [0.1, 0.9], (128, 0.0): [0.8, 0.2], (512, 0.0): [0.6, 0.65]})
    objective = {"metric": metric, "direction": "maximize", "share": metric == "valid/acc"}
    found = ablation_of(replace(table, study={**table.study, "objective": objective}))
    caveat = next(line for line in caveats(found) if "What may be equal need not be" in line)
    cells = [row[-1].text for row in difference_rows(found)[1]]
    if metric == "valid/acc":
        assert "of more than could ever be seen would" in caveat and cells == ["> 1", "> 1"]
    else:
        assert "more than" not in caveat and all(float(cell) > 1 for cell in cells)


@pytest.mark.parametrize(("seeds", "warned"), [(3, True), (20, False)])
def test_the_ranking_over_few_seeds_is_not_to_be_trusted(seeds, warned):
    assert ("too narrow" in ranking_aid(ablation_of(study(grid(seeds=seeds))))) is warned
