from dataclasses import replace

from hpsearch.base.types import TrialId
from hpsearch.reports.diagnosis.table import diagnosis_table
from hpsearch.reports.summary.numbers import find, summarize
from hpsearch.reports.summary.page import render
from tests.support import synthetic


def test_trials_with_a_fault_are_listed_and_sound_ones_are_not():
    table = synthetic.sweep()
    shown = diagnosis_table(table, summarize(table))
    diverged = table.trials[table.trials["state"] == "INFEASIBLE"]
    listed = {(int(row.cells[0].text), int(row.cells[1].text)): row.cells[3].text for row in shown.rows}
    assert len(listed) < len(table.trials)
    for row in diverged.to_dict("records"):
        assert "diverged" in listed[row["point"], row["seed"]]
    assert "Diagnosis" in render(find(table), [], shown)


def test_a_study_without_losses_has_no_such_section():
    table = synthetic.sweep()
    curves = table.curves.drop(columns=[c for c in ("train/loss", "valid/loss") if c in table.curves])
    lost = set(table.trials.loc[table.trials["state"] != "COMPLETE", "point"])
    parts = (table.trials, curves, table.steps)
    trials, curves, steps = (part[~part["point"].isin(lost)] for part in parts)
    bare = replace(table, trials=trials, curves=curves, steps=steps)
    assert diagnosis_table(bare, summarize(bare)) is None
    assert "diagnosis-title" not in render(find(bare), [])


def test_the_layers_of_a_trial_are_read():
    table = synthetic.sweep()
    best = summarize(table).best
    norms = {"a": 1e-9, "b": 1.0}
    row = {"epoch": 1, "step": 1, "loss": 1.0, "gradient": norms, "weight": {"a": 1.0, "b": 1.0}}
    table = replace(table, layers={TrialId(best.point, 0): [row]})
    shown = diagnosis_table(table, summarize(table))
    assert "vanishing gradients" in shown.rows[0].cells[3].text
    assert shown.rows[0].best
