"""Which values train: the three words, the range around the best, the edge, and points of which some seeds train."""

import math

import pandas as pd
import pytest

from hpsearch.base.outcome import diverged
from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.space import searched
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.rates import Range, Tried, rates_of
from hpsearch.reports.summary.sentences import answer, caveats
from hpsearch.reports.summary.tables import point_table
from tests.support import synthetic

AWAY, OOM = "diverged at step 3: loss nan", "out of memory: 9000 MiB asked"
GOOD, SHORT, CHANCE, LOST = (2.0, 0.5), (2.0, 1.5), (2.0, 2.0), None


def study(runs, expression="tag(log, interval(1e-3, 10))", key="optimizer.lr", **more):
    """Trials of each value: {value: [(first, last) training loss of a seed, None where it diverged]}."""
    rows, curves = [], []
    for point, (value, seeds) in enumerate(runs.items()):
        for seed, losses in enumerate(seeds):
            place = {"point": point, "seed": seed, "fold": 0}
            state, reason = ("COMPLETE", "") if isinstance(losses, tuple) else ("INFEASIBLE", losses or AWAY)
            extra = {name: values[point] for name, values in more.items()}
            rows.append({**place, key: value, "state": state, "reason": reason, **extra})
            pair = losses if isinstance(losses, tuple) else (2.0,)
            curves += [{**place, "epoch": e + 1, "step": e + 1, "train/loss": loss} for e, loss in enumerate(pair)]
    space = {key: expression, **{name: "choice(1)" for name in more}}
    steps = pd.DataFrame({"point": [], "seed": [], "fold": [], "step": [], "loss": []})
    return TrialTable("s", {"space": space}, pd.DataFrame(rows), pd.DataFrame(curves), steps)


def along(table, best, key="optimizer.lr"):
    axes = searched(table)
    axis = next(a for a in axes if a.key == key)
    rows = table.trials.drop_duplicates("point").set_index("point")
    return rates_of(table, axis, {int(i): row[[a.key for a in axes]].to_dict() for i, row in rows.iterrows()}, best)


def words_of(found):
    return {each.value: (each.trains, each.slow, each.fails) for each in found.tried}


def test_the_three_words_of_a_sweep():
    runs = {0.001: [CHANCE] * 2, 0.01: [SHORT] * 2, 0.1: [GOOD] * 2, 1: [GOOD, CHANCE], 3: [SHORT] * 2, 10: [LOST] * 2}
    found = along(study(runs), best=2)
    assert words_of(found) == {
        0.001: (0, 2, 0), 0.01: (0, 2, 0), 0.1: (2, 0, 0), 1: (1, 0, 1), 3: (0, 0, 2), 10: (0, 0, 2),
    }  # fmt: skip
    assert found.trains == Range(0.1, 0.1)
    assert found.slow == 0.01
    assert (found.first.value, found.first.fails, found.first.n) == (1, 1, 2)
    assert [each.word for each in found.tried] == ["too slow", "too slow", "trains", "fails", "fails", "fails"]


def test_what_trains_is_the_contiguous_run_around_the_best():
    runs = {0.001: [GOOD], 0.01: [SHORT], 0.1: [GOOD], 0.3: [GOOD], 1: [GOOD], 3: [SHORT], 10: [GOOD]}
    found = along(study(runs), best=3)
    assert found.trains == Range(0.1, 1)
    assert found.edges == ()
    assert along(study(runs), best=1).trains is None


def test_the_edge_lies_halfway_on_the_axis_scale_and_has_an_interval_from_three_seeds_on():
    runs = {0.01: GOOD, 0.1: GOOD, 0.4: GOOD, 1: LOST, 4: LOST, 10: LOST}
    (edge,) = along(study({rate: [run] * 3 for rate, run in runs.items()}), best=0).edges
    assert edge.side == "above"
    assert edge.estimate == pytest.approx(math.sqrt(0.4), rel=0.1)
    assert edge.interval.low == pytest.approx(0.4, rel=0.15)
    assert edge.interval.high == pytest.approx(1, rel=0.15)
    (edge,) = along(study({rate: [run] * 2 for rate, run in runs.items()}), best=0).edges
    assert edge.interval is None


def test_an_edge_below_the_best_on_a_linear_axis():
    runs = {1.0: [LOST] * 3, 3.0: [GOOD] * 3, 5.0: [GOOD] * 3, 7.0: [GOOD] * 3}
    (edge,) = along(study(runs, "interval(1, 7)", key="x"), best=2, key="x").edges
    assert (edge.side, edge.estimate) == ("below", pytest.approx(2, abs=0.1))
    assert edge.interval.low < 2 < edge.interval.high


def test_running_out_of_memory_is_no_failure_of_the_rate():
    assert diverged("INFEASIBLE", AWAY)
    assert not diverged("INFEASIBLE", OOM)
    assert not diverged("INFEASIBLE", "not compared: latency is inf")
    assert not diverged("FAILED", AWAY)
    assert words_of(along(study({16.0: [GOOD], 32.0: [GOOD], 64.0: [OOM]}), best=1)) == {
        16.0: (1, 0, 0),
        32.0: (1, 0, 0),
    }


def test_only_of_a_rate_do_larger_values_fail_by_learning_too_little():
    runs = {0.1: [GOOD], 1: [SHORT]}
    assert words_of(along(study(runs), best=0))[1] == (0, 0, 1)
    assert words_of(along(study(runs, key="x"), best=0, key="x"))[1] == (0, 1, 0)


def test_only_points_that_share_the_other_hyperparameters_are_read():
    runs = {0.1: [GOOD], 0.2: [GOOD], 1: [SHORT], 2: [GOOD]}
    found = along(study(runs, width=[1, 1, 2, 1]), best=0)
    assert found.trains == Range(0.1, 2)
    assert along(study(runs, width=[1, 2, 3, 4]), best=0) is None


def test_the_main_job():
    found = summarize(synthetic.sweep()).rates
    assert found.trains == Range(0.00464159, 1.0)
    assert (found.slow, found.first) == (0.00215443, Tried(2.15443, 0, 0, 3))
    assert found.edges[0].estimate == pytest.approx(math.sqrt(1.0 * 2.15443), rel=0.05)
    said = answer(summarize(synthetic.sweep()))
    assert (
        "training is too slow up to 0.00215, every seed trains from 0.00464 to 1 and 3 of 3 seeds fail at 2.15" in said
    )
    assert "(half of the seeds at about 1.47, 95 % interval 0.969 to 2.22)" in said


def test_one_seed_has_an_edge_and_no_interval():
    said = answer(summarize(synthetic.sweep(seeds=1)))
    assert said.endswith("training is too slow up to 0.00215, 0.00464 to 1 train and 2.15 fails (edge at about 1.47).")


def with_dead(table, *places):
    """The study with the curves of some trials at chance."""
    for point, seed in places:
        rows = (table.curves["point"] == point) & (table.curves["seed"] == seed)
        table.curves.loc[rows, ["train/loss", "valid/loss"]] = 2.3
        table.curves.loc[rows, "valid/acc"] = 0.1
        table.trials.loc[(table.trials["point"] == point) & (table.trials["seed"] == seed), "score"] = 0.1
    return table


def test_a_point_with_a_dead_seed_keeps_two_lines_and_no_rank():
    whole = summarize(synthetic.sweep())
    found = summarize(with_dead(synthetic.sweep(), (whole.best.point, 1)))
    point = found.points[whole.best.point]
    assert (point.trained, point.dead, point.diverged, point.parted) == (2, 1, 0, True)
    assert (point.mean, point.interval, point.scores) == (None, None, (whole.best.scores[0], whole.best.scores[2]))
    assert found.best.point != point.point
    assert point not in found.eligible
    (line,) = [line for line in caveats(found, {}) if "Some seeds train" in line]
    assert "learning rate 0.0464: 2 of 3 seeds train (0.97" in line
    assert "1 stays at chance; the share that trains is 9 to 99 % (95 % Clopper-Pearson interval)" in line
    cells = {row.cells[0].text: [cell.text for cell in row.cells] for row in point_table(found).rows}[str(point.point)]
    assert cells[-2:] == ["2 of 3, 1 fails", "COMPLETE"]
    assert cells[2] == "–"


def test_dead_and_diverged_count_alike():
    table = with_dead(synthetic.sweep(), (5, 0))
    away = (table.trials["point"] == 6) & (table.trials["seed"] == 0)
    table.trials.loc[away, ["state", "reason"]] = ["INFEASIBLE", AWAY]
    found = summarize(table)
    assert [found.points[i].parted for i in (5, 6)] == [True, True]
    assert [found.points[i].lost for i in (5, 6)] == [1, 1]
    assert [found.rates.tried[i].fails for i in (5, 6)] == [1, 1]
    assert found.best.point not in (5, 6)


def test_points_at_chance_are_ranked_only_where_nothing_trains():
    places = [(point, seed) for point in range(11) for seed in range(3)]
    facts = {"constant.train/loss": 2.3, "constant.valid/loss": 2.3, "constant.valid/acc": 0.1, "data.valid_size": 360}
    table = with_dead(synthetic.sweep(), *places)
    table.trials[list(facts)] = list(facts.values())
    said = answer(summarize(table))
    assert said.startswith("No point trains: none does better than a constant prediction. ")
    table = with_dead(synthetic.sweep(), *[place for place in places if place[0] != 6 or place[1]])
    table.trials[list(facts)] = list(facts.values())
    found = summarize(table)
    assert found.best is None
    assert answer(found).startswith("No answer: at no point does every seed train")
