"""The claims that an ablation can speak of."""

import importlib
from dataclasses import replace

from hpsearch.reports.ablation import claims
from hpsearch.reports.ablation.claims import CLAIMS
from hpsearch.reports.ablation.figures import ablation_figures
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.page import render_ablation
from hpsearch.reports.ablation.tables import claim_rows
from tests.support import synthetic


def test_all_seven_speak_of_a_batch_and_momentum_study_and_none_of_another():
    assert [each.claim.number for each in ablation_of(*synthetic.momenta()).claims] == [1, 2, 3, 4, 5, 6, 7]
    table = synthetic.ablation()
    table.study["config"]["ablation"]["factors"] = ["model.activation"]
    assert {each.claim.number for each in ablation_of(table, synthetic.searched_arms(table)).claims} == {7}


NARROW = (
    "4 batch sizes, the largest 64 times the smallest, reached the target: 5 or more over a factor of 100 are needed "
    "(+study=critical_batch_size)"
)


def reasons(found):
    """Why claims cannot be tested, by number."""
    return {
        each.claim.number: each.result.sentence
        for each in found.claims
        if not each.result.numbers and not each.result.series
    }


def test_claims_whose_evidence_is_missing_say_what_is_missing():
    table, tuning = synthetic.momenta()
    options = table.study["config"]["ablation"]
    table.study["config"]["ablation"] = {**options, "target": None}
    no_target = "no target is set (ablation.target)"
    assert reasons(ablation_of(table, tuning)) == {4: no_target, 5: no_target}
    missing = "the search for the rate of every arm is not at hand"
    assert reasons(ablation_of(table)) == {**dict.fromkeys((1, 2, 3), missing), 4: no_target, 5: no_target}
    table.study["config"]["ablation"] = {**options, "nuisance": "held", "target": 0.999}
    held = "the rate was held, not retuned (ablation.nuisance=retuned)"
    missed = "fewer than three batch sizes reached the target 0.999"
    assert reasons(ablation_of(table)) == {**dict.fromkeys((1, 2, 3), held), 4: missed, 5: missed}
    lone = dict.fromkeys((1, 2), "one momentum only")
    assert reasons(ablation_of(*synthetic.momenta(values=(0.9,)))) == {**lone, 5: NARROW}
    assert reasons(ablation_of(*synthetic.momenta(batches=(16,)))) == dict.fromkeys((3, 4, 5, 6), "one batch size only")


def test_a_rate_that_is_not_searched_decides_nothing():
    table, tuning = synthetic.momenta()
    decay = replace(tuning, trials=tuning.trials.rename(columns={"optimizer.lr": "optimizer.weight_decay"}))
    decay.study["space"] = {
        {"optimizer.lr": "optimizer.weight_decay"}.get(key, key): value for key, value in tuning.study["space"].items()
    }
    untuned = dict.fromkeys((1, 2, 3), "the rate is not among what was retuned")
    assert reasons(ablation_of(table, decay)) == {**untuned, 5: NARROW}


def test_why_a_large_batch_may_score_less_for_another_reason():
    table, tuning = synthetic.momenta()
    sentence = {each.claim.number: each.result.sentence for each in ablation_of(table, tuning).claims}[4]
    assert "at equal epochs it makes fewer updates" in sentence
    table.study["config"]["trainer"] = {**table.study["config"]["trainer"], "steps": 1000}
    sentence = {each.claim.number: each.result.sentence for each in ablation_of(table, tuning).claims}[4]
    assert "unfair" not in sentence
    table.study["config"]["ablation"] = {**table.study["config"]["ablation"], "nuisance": "held"}
    sentence = {each.claim.number: each.result.sentence for each in ablation_of(table).claims}[4]
    assert "nothing was retuned" in sentence


def test_claims_are_numbered_in_their_order():
    assert [claim.number for claim in CLAIMS] == list(range(1, len(CLAIMS) + 1))


NEW = '''
"""Claim 8: more seeds, more trials."""

from hpsearch.reports.ablation.claims.claim import BATCH, Claim, ClaimResult, ClaimVerdict
from hpsearch.reports.kit.canvas import draw


def _test(evidence):
    trials = sum(arm.trials for arm in evidence.arms)
    return ClaimResult(ClaimVerdict.SUPPORTED, f"{trials} trials", {"trials": trials}, {"x": [1, 2], "y": [3, trials]})


def _figure(results):
    line = {"type": "scatter", "mode": "lines", **results[CLAIM.number].series}
    return "claim-seeds", "Claim 8: trials", "Count them.", draw([line], {}, "Trials.")


CLAIM = Claim(number=8, statement="More seeds, more trials.", factor=BATCH, test=_test, figure=_figure)
'''


def test_a_claim_is_one_file_and_one_line(tmp_path, monkeypatch):
    (tmp_path / "seeds_claim.py").write_text(NEW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(claims, "CLAIMS", (*CLAIMS, importlib.import_module("seeds_claim").CLAIM))
    found = ablation_of(*synthetic.momenta())
    assert [cell.text for cell in claim_rows(found)[1][-1]] == [
        "8",
        "More seeds, more trials.",
        "supported",
        "36 trials",
    ]
    (drawn,) = [figure for name, _, _, figure in ablation_figures(found) if name == "claim-seeds"]
    assert list(drawn.data[0].y) == [3, 36]
    page = render_ablation(found, "python -m hpsearch +study=x")
    assert "8. supported" in page and "More seeds, more trials." in page and "claim-seeds" in page
    table = synthetic.ablation()
    table.study["config"]["ablation"]["factors"] = ["model.activation"]
    assert 8 not in {each.claim.number for each in ablation_of(table).claims}
