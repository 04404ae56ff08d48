"""The campaign: each of its checks notices what is planted for it, and the part of it that CI runs."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults import campaign
from tests.faults.harness.checks import CHECKS
from tests.faults.harness.fault import Fault, Verdict, calm_run, evidence, failures, put_through
from tests.faults.harness.marked import MARK, end_all, marked
from tests.faults.harness.registry import Kind, all_kinds
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import SURROUNDINGS, Same
from tests.faults.harness.table import Results, markdown
from tests.faults.kinds import power

pytestmark = [pytest.mark.fault, pytest.mark.slow]

CI = [kind for kind in all_kinds().values() if kind.ci]
STUDY = Path("studies/s")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("campaign")


@pytest.fixture
def run(folder, tmp_path):
    """A complete study on which nothing is to find fault with, and which was complete when the fault came."""
    calm = calm_run(SURROUNDINGS["grid inline"], folder)
    run = Run(tmp_path / "fault", SURROUNDINGS["grid inline"], "1", calm)
    shutil.rmtree(run.folder)
    shutil.copytree(calm / "work", run.folder)
    run.codes.append(0)
    run.keep()
    yield run
    run.close()


def found(run: Run, orphans: tuple[str, ...] = ()) -> set[str]:
    """The names of the checks that found something."""
    return {sentence.split(":")[0] for sentence in failures(evidence(run, list(orphans)), run.excused)}


def change_event(run: Run, change) -> None:
    file = sorted(run.folder.glob("studies/s/events/*-*-*.jsonl"))[0]
    events = [json.loads(line) for line in file.read_text().splitlines()]
    change(events)
    for event in events:
        event.pop("seal", None)  # it would tell hpsearch itself that the line is not what was written
    file.write_text("".join(json.dumps(event) + "\n" for event in events))


def sql(run: Run, statement: str) -> None:
    with closing(sqlite3.connect(run.folder / "mlflow.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_nothing_is_found_where_nothing_is_wrong(run):
    assert not list(failures(evidence(run, []), {}))


def test_a_command_that_does_not_complete_is_found(run):
    run.codes[:] = [-9, 1]
    assert found(run) == {"completes"}


def test_a_lost_trial_is_found(run):
    (run.folder / STUDY / "events/2-1-0.jsonl").unlink()
    assert {"completes", "totals_are_exact", "ended_trials_stay", "result_is_the_undisturbed_one"} <= found(run)


def test_a_trial_that_has_not_ended_is_found(run):
    change_event(run, lambda events: events.pop())
    assert {"totals_are_exact", "ended_trials_stay"} <= found(run)


def test_a_row_that_is_missing_in_the_written_table_is_found(run):
    file = run.folder / STUDY / "trials.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert found(run) == {"totals_are_exact"}


def test_a_row_that_is_written_twice_is_found(run):
    file = run.folder / STUDY / "trials.csv"
    file.write_text(file.read_text() + file.read_text().splitlines(keepends=True)[-1])
    assert found(run) == {"nothing_is_there_twice"}


def test_a_curve_that_changed_in_its_last_bit_is_found(run):
    def change(events):
        event = next(event for event in events if event["event"] == "report" and event["epoch"] == 3)
        event["metrics"]["valid/loss"] += 2**-51

    change_event(run, change)
    assert {"ended_trials_stay", "result_is_the_undisturbed_one"} <= found(run)


def test_a_score_that_changed_is_found(run):
    change_event(run, lambda events: events[-1].update(score=0.5))
    assert "result_is_the_undisturbed_one" in found(run)


def test_a_second_run_of_a_trial_is_found(run):
    copy = "replace(runs.run_uuid, substr(runs.run_uuid, 1, 4), 'copy')"
    columns = "name, status, lifecycle_stage, experiment_id"
    which = "where name like '0/0 %'"
    sql(run, f"insert into runs (run_uuid, {columns}) select {copy}, {columns} from runs {which}")
    sql(run, f"insert into tags (key, value, run_uuid) select key, value, {copy} from tags join runs using (run_uuid)"
             f" {which} and run_uuid not like 'copy%'".replace("runs.run_uuid", "run_uuid"))  # fmt: skip
    assert found(run) == {"nothing_is_there_twice"}


def test_a_run_that_is_missing_in_the_store_is_found(run):
    sql(run, "update runs set lifecycle_stage = 'deleted' where name like '0/0 %'")
    assert found(run) == {"nothing_is_there_twice"}


@pytest.mark.parametrize(
    "change", ["update runs set status = 'RUNNING'", "update tags set value = 'RUNNING' where key = 'state'"]
)
def test_a_run_that_is_left_running_is_found(run, change):
    sql(run, change)
    assert found(run) == {"no_run_is_left_running"}


@pytest.mark.parametrize("name", ["tmp/hpsearch-x", f"work/{STUDY}/a.1.new", "work/mlflow.db-journal", "cache/a.lock"])
def test_what_is_left_over_is_found(run, name):
    (run.place / name).parent.mkdir(exist_ok=True)
    (run.place / name).touch()
    assert found(run) == {"nothing_is_left_over"}


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("output.txt", "nothing_is_printed_but_sentences"),
        (f"work/{STUDY}/trials/0-0-0/log.txt", "no_traceback_is_logged"),
    ],
)
def test_a_traceback_is_found(run, name, check):
    (run.place / name).write_text("Traceback (most recent call last):\n  ...\nValueError: no\nbest 1.0\n")
    (sentence,) = failures(evidence(run, []), {})
    assert sentence.startswith(check) and sentence.endswith(": ValueError: no")


def test_what_is_excused_of_a_check_excuses_nothing_else_of_it(run):
    log = run.folder / STUDY / "trials/0-0-0/log.txt"
    run.excuse("no_traceback_is_logged", "No space left", "its disk is full")
    log.write_text("Traceback (most recent call last):\n  ...\nOSError: [Errno 28] No space left on device\n")
    assert not found(run)
    log.write_text(log.read_text() + "Traceback (most recent call last):\n  ...\nValueError: no\n")
    assert found(run) == {"no_traceback_is_logged"}


def test_roundings_pass_only_of_trials_that_the_plain_loop_took_over(run):
    known, name = evidence(run, []), "s 0-0-0"
    curves = json.loads(json.dumps(known.now.curves))
    curves[name]["3"]["valid/loss"] += 1e-4

    def found(here: dict[str, str], calm: dict[str, str], same: Same) -> list[str]:
        now = replace(known.now, curves=curves, half_plain=here)
        both = replace(known, now=now, calm=replace(known.calm, half_plain=calm), same=same)
        return list(CHECKS["result_is_the_undisturbed_one"](both))

    for same in (Same.ALL, Same.ALIKE):
        assert found({}, {}, same) and found({name: "2*0 14*4"}, {name: "2*0 14*4"}, same)
        assert not found({name: ""}, {}, same) and not found({name: "2*0 14*4"}, {name: "3*0 13*4"}, same)


def test_an_end_on_record_is_the_same_to_the_bit_but_of_a_trial_trained_again_by_the_plain_loop(run):
    def change(events):
        next(event for event in events if event.get("epoch") == 3)["metrics"]["valid/loss"] += 1e-4

    change_event(run, change)
    known, name = evidence(run, []), "s 0-0-0"
    assert not known.again
    plain = replace(known, now=replace(known.now, half_plain={name: ""}))
    assert list(CHECKS["ended_trials_stay"](plain)) == [f"{name} had ended and has another curve now"]
    change_event(run, lambda events: events[-1]["facts"].update(fused_widths="16*4"))
    assert evidence(run, []).again == {name}
    assert not list(CHECKS["ended_trials_stay"](replace(plain, again=frozenset({name}))))


def test_a_process_that_detaches_itself_is_an_orphan(run):
    environment = {**os.environ, MARK: run.mark}
    code = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(60)"
    subprocess.run([sys.executable, "-S", "-c", code], env=environment, check=True)
    deadline = time.monotonic() + 60
    while len(orphans := marked(run.mark)) != 1 and time.monotonic() < deadline:  # it is being started
        time.sleep(0.01)
    (orphan,) = orphans
    assert orphan.pid != os.getpid() and found(run, (str(orphan),)) == {"no_orphan"}
    end_all(run.mark)
    assert marked(run.mark) == []


def test_of_a_sampler_that_learns_only_equal_configurations_are_compared(run):
    known = evidence(run, [])
    check = CHECKS["result_is_the_undisturbed_one"]
    rows, curves = dict(known.now.rows), json.loads(json.dumps(known.now.curves))
    rows["s 0-0-0"] = {**rows["s 0-0-0"], "key": "another", "score": 0.0}
    curves["s 0-0-0"]["3"]["valid/loss"] = 0.0
    curves["s 0-1-0"].popitem()  # pruned earlier
    alike = replace(known, now=replace(known.now, rows=rows, curves=curves), same=Same.ALIKE)
    assert not list(check(alike))
    assert list(check(replace(alike, same=Same.ALL)))
    curves["s 1-0-0"]["3"]["valid/loss"] = 0.0
    assert list(check(alike)) == ["s 1-0-0 has another curve than the same configuration undisturbed"]


def test_a_second_study_must_be_like_the_first(run):
    run.twins = ["t0"]
    assert {"totals_are_exact", "result_is_the_undisturbed_one"} <= found(run)


def planted(inject) -> Kind:
    return Kind("planted", inject, ("grid inline",), ci=False, root=False, needs=())


def test_a_kind_that_says_what_it_expected_is_heard_and_its_folder_stays(folder):
    def inject(run: Run) -> None:
        run.start("optimizer.lr=nonsense")
        run.expect(0)

    verdict = put_through(Fault(1000, planted(inject), SURROUNDINGS["grid inline"], "1"), folder)
    assert "exit code 2 instead of 0" in verdict.failed
    assert (folder / "fault-1000" / "work").exists()


def test_a_kind_that_fails_itself_is_a_failure_and_one_that_cannot_be_is_skipped(folder):
    fault = Fault(1001, planted(lambda run: run.no_such_thing()), SURROUNDINGS["grid inline"], "1")
    assert "no_such_thing" in put_through(fault, folder).failed[0]
    missing = replace(fault, kind=replace(fault.kind, needs=("no-such-program",)))
    assert put_through(missing, folder).skipped == "needs no-such-program"


def test_a_plan_has_every_kind_and_is_the_same_for_the_same_seed():
    kinds = list(all_kinds().values())
    plan = campaign.planned(7, 3 * len(kinds), kinds)
    assert {fault.kind.name for fault in plan[: len(kinds)]} == {kind.name for kind in kinds}
    assert plan == campaign.planned(7, 3 * len(kinds), kinds)
    assert plan[:5] == campaign.planned(7, 5, kinds) != campaign.planned(8, 5, kinds)
    of_one = [fault.surroundings.name for fault in plan if fault.kind is kinds[0]]
    assert len(set(of_one)) == min(3, len(kinds[0].under))


def test_an_interrupted_campaign_goes_on_and_another_one_is_refused(tmp_path):
    plan = {"seed": 7, "faults": 2, "kinds": ["a"]}
    verdict = Verdict(1, "a", "grid", ("totals_are_exact: one | less",), 2.0, codes=(-9, 0))
    Results(tmp_path / "table.md", plan).add(verdict)
    with (tmp_path / "table.jsonl").open("a") as lines:
        lines.write('{"index": 0, "ki')
    assert Results(tmp_path / "table.md", plan).verdicts == {1: verdict}
    with pytest.raises(SystemExit, match="another campaign"):
        Results(tmp_path / "table.md", {**plan, "seed": 8})


def test_the_table_says_what_failed():
    ok, bad = Verdict(0, "a", "grid", (), 1.0), Verdict(3, "a", "grid", ("lost | here", "and there"), 2.0)
    text = markdown({"seed": 7}, [ok, bad, Verdict(4, "b", "grid", (), 0.0, "needs root")])
    assert "Seed 7: 2 faults of 1 kinds, 1 failed." in text and "Skipped: b (needs root)." in text
    assert "| a | grid | 2 | 3: lost \\| here<br>3: and there | 3 |" in text


def test_enough_kinds_are_in_the_part_that_runs_here():
    assert len(CI) >= 12 and len(all_kinds()) >= 60


def test_of_what_is_written_a_power_cut_takes_no_more_than_is_not_synced(tmp_path):
    log, file, work = tmp_path / "log", tmp_path / "work" / "file", tmp_path / "work"
    work.mkdir()
    code = (
        "import os, sys; f = open(sys.argv[1], 'wb', 0); f.write(b'a' * 60); os.fsync(f.fileno()); f.write(b'b' * 40)"
    )
    environment = {**os.environ, "PYTHONPATH": str(power.noting(tmp_path / "site", log))}
    subprocess.run([sys.executable, "-c", code, file], env=environment, check=True)
    assert list(power.synced(log).values()) == [60]
    left, run = set(), SimpleNamespace(folder=work, random=random.Random(0))
    for _ in range(200):
        file.write_bytes(b"a" * 60 + b"b" * 40)
        (work / "mlflow.db").write_bytes(b"c" * 9)
        power.lose(run, power.synced(log))
        left.add(file.stat().st_size)
        assert (work / "mlflow.db").stat().st_size == 9
    assert (min(left), max(left)) == (60, 100)
    power.lose(run, {})
    assert file.stat().st_size < 100


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", campaign.planned_for_ci(), ids=lambda fault: fault.kind.name)
def test_after(fault, folder):
    verdict = put_through(fault, folder)
    if verdict.skipped:
        pytest.skip(verdict.skipped)
    assert not verdict.failed
