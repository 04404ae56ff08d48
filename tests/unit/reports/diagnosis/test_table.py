from dataclasses import replace

import pandas as pd

from hpsearch.base.types import TrialId
from hpsearch.reports.diagnosis import table as module
from hpsearch.reports.diagnosis.history import histories, history
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


def test_of_many_with_a_fault_all_are_counted_and_the_first_are_listed(monkeypatch):
    table = synthetic.sweep()
    every = diagnosis_table(table, summarize(table))
    monkeypatch.setattr(module, "ROWS", 2)
    few = diagnosis_table(table, summarize(table))
    assert (few.rows, few.total) == (every.rows[:2], len(every.rows))
    assert every.total == len(every.rows) > 2


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


def test_of_several_evaluations_in_an_epoch_the_last_one_counts_and_few_keep_their_numbers():
    def found(epochs):
        place = {"point": 0, "seed": 0, "fold": 0}
        rows = [{**place, "epoch": e, "train/loss": 9.0 - e, "valid/loss": 10.0 - e} for e in epochs]
        trials = pd.DataFrame([{**place, "state": "COMPLETE", "reason": ""}])
        (fields,) = histories(replace(synthetic.empty(), curves=pd.DataFrame(rows), trials=trials)).values()
        return fields, history(fields)

    once, often = found(range(7)), found([e / 4 for e in range(25)])
    assert often[0] == once[0] and "numbers" not in once[0]
    few, run = found([0, 3, 6, 7])
    assert few["numbers"] == [3, 6, 7] and run.valid.tolist() == [7, 4, 3]
    assert [run.epoch(place) for place in range(3)] == [3, 6, 7] and run.last == 7 and run.length(3) == 7
    assert once[1].last == 6 and once[1].length(2) == 2 and once[1].epoch(0) == 1
