"""What lines become in MLflow, without MLflow."""

import json
import math
from dataclasses import replace

import pytest

from hpsearch.base.journal import read_lines
from hpsearch.base.types import Started
from hpsearch.tracking import names, runs
from hpsearch.tracking.events import read_trial, replay_command
from hpsearch.tracking.record import Record
from hpsearch.tracking.runs import Trail
from tests.support import fake_study as fake


def _events(folder, made):
    return read_lines(folder / "events" / f"{made.id.stem}.jsonl")[0]


@pytest.fixture
def retried(tmp_path):
    record = Record(tmp_path / "study")
    made = fake.spec(record.folder, 0)
    fake.start(record, made)
    for epoch in range(4):
        fake.report(record, made, epoch)
    fake.start(record, made, epoch=1)
    for epoch in range(2, 6):
        fake.report(record, made, epoch, loss=9.0)
    record.close()
    return _events(record.folder, made)


def test_the_first_value_of_a_step_wins(retried):
    metrics = Trail().take(retried)
    sent = [(metric.key, metric.step) for metric in metrics]
    assert len(sent) == len(set(sent))
    losses = {metric.step: metric.value for metric in metrics if metric.key == "train/loss"}
    assert sorted(losses) == [0, 1, 2, 3, 4, 5]
    assert losses[3] != 9.0
    assert losses[4] == 9.0
    steps = [metric.step for metric in metrics if metric.key == names.STEP_LOSS]
    assert steps == sorted(20 * epoch + k for epoch in range(5) for k in (1, 10, 20))


def test_lines_taken_one_by_one_give_what_all_at_once_give(retried):
    trail = Trail()
    piecemeal = [metric for event in retried for metric in trail.take([event])]
    assert piecemeal == Trail().take(retried)


def test_what_mlflow_cannot_keep_is_noted(tmp_path):
    record = Record(tmp_path / "study")
    made = fake.spec(record.folder, 0)
    fake.start(record, made)
    fake.report(record, made, 1, loss=math.nan)
    fake.report(record, made, 2, loss=math.inf)
    record.close()
    trail = Trail()
    metrics = trail.take(_events(record.folder, made))
    assert {metric.key for metric in metrics} == {"epoch_sec", names.STEP}
    assert trail.nonfinite["train/loss"] == {"1": "nan", "2": "inf"}
    assert trail.nonfinite[names.STEP_LOSS] == {
        "1": "nan",
        "10": "nan",
        "20": "nan",
        "21": "inf",
        "30": "inf",
        "40": "inf",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**-1.5, "0.0316228"),
        (1e-4, "0.0001"),
        (3.0, "3"),
        (64, "64"),
        (True, "true"),
        (None, "null"),
        ("sgd", "sgd"),
        ([64, 64], "[64, 64]"),
        (math.inf, "inf"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_values_fit_a_cell(value, text):
    assert runs.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**-1.5, "0.03162277660168379"),
        (1e-5, "1e-05"),
        (3.0, "3.0"),
        (64, "64"),
        (10**20, "100000000000000000000"),
        (None, "null"),
        (math.inf, "inf"),
        ("größe", "größe"),
        (["größe", 0.1], '["größe", 0.1]'),
        ("a\ud800b\0c", r"a\ud800b\x00c"),
        ("x" * 6000, "x" * 6000),
        ("x" * 6001, "x" * 5999 + "…"),
    ],
)
def test_a_parameter_holds_the_value_that_trains_the_trial_again(value, text):
    assert runs.text_of(value) == text


def test_a_trial_that_has_asked_for_no_argument_yet_has_no_param_of_them(tmp_path):
    record = Record(tmp_path / "study")
    for point, (args, keys) in enumerate([({}, set()), ({"lr": 0.1}, {"args.lr"})]):
        made = fake.spec(record.folder, point)
        record.spec(replace(made, config={**made.config, "args": args}), fake.TIME)
        assert {key for key in runs.trial_params(record.trial(made.id)) if key.startswith("args")} == keys


def test_params_are_all_hyperparameters_and_nothing_of_the_machine(tmp_path):
    record = Record(tmp_path / "study")
    made = fake.spec(record.folder, 0, model="lenet")
    record.spec(made, fake.TIME)
    params = runs.trial_params(record.trial(made.id))
    assert params["optimizer.lr"] == "0.1"
    assert params["optimizer.nesterov"] == "false"
    assert params["model.hidden"] == "[64, 64]"
    assert params["model"] == "lenet"
    assert params["seed"] == "0"
    assert not any(key.startswith("launcher") for key in params)


def test_two_rates_that_share_six_digits_are_two(tmp_path):
    rates = [0.1234567890123, 0.1234567890124]
    params = [runs.trial_params(_specified(tmp_path / str(rate), **{"optimizer.lr": rate})) for rate in rates]
    assert [float(each["optimizer.lr"]) for each in params] == rates
    tags = runs.best_tags({"params": {"optimizer.lr": rates[0], "model.hidden[0]": 3}, "point": 1})
    assert tags == {"best.optimizer.lr": "0.1234567890123", "best.model.hidden.0": "3", "best.point": "1"}


def _specified(folder, **params):
    record = Record(folder)
    made = fake.spec(folder, 0, **params)
    record.spec(made, fake.TIME)
    return record.trial(made.id)


def _tags(study, trail):
    record = trail.fold.record()
    return runs.trial_tags(study, trail, record, replay_command(study, record))


def test_no_fact_takes_the_place_of_a_tag_of_ours(tmp_path):
    record = Record(tmp_path / "study")
    made = fake.spec(record.folder, 0)
    taken = {"state": "mine", "point": 7, "superseded": 1, "mlflow.runName": "a", "hpsearch.uid": "b", "f1": 0.91234567}
    record.message(made.id, Started(None, taken, fake.TIME))
    record.spec(made, fake.TIME)
    record.close()
    trail = Trail()
    trail.take(_events(record.folder, made))
    tags = _tags("study", trail)
    assert (tags["state"], tags["point"], tags["f1"]) == ("RUNNING", "0", "0.91234567")
    assert (tags["_x73_tate"], tags["_x70_oint"], tags["_x6d_lflow.runName"]) == ("mine", "7", "a")
    assert not {"superseded", "mlflow.runName", "hpsearch.uid"} & set(tags)


def test_a_run_is_named_by_what_it_tries(tmp_path):
    record = Record(tmp_path / "study")
    made = fake.spec(record.folder, 3, 1, **{"optimizer.lr": 10**-1.5, "model": "lenet"})
    record.spec(made, fake.TIME)
    assert runs.trial_name(record.trial(made.id)) == "3/1 lr=0.0316 model=lenet"


def test_the_names_of_runs_tell_close_values_apart(tmp_path):
    record, names = Record(tmp_path / "study"), []
    for point, momentum in enumerate((0.9, 0.9995, 0.123456789012, 0.123456789013, 1 - 1e-9 / 3)):
        made = fake.spec(record.folder, point, 0, **{"optimizer.momentum": momentum})
        record.spec(made, fake.TIME)
        names.append(runs.trial_name(record.trial(made.id)).partition("momentum=")[2])
    assert names == ["0.9", "0.9995", "0.123456789012", "0.123456789013", "0.9999999997"]
    made = fake.spec(record.folder, 9, 0, **{f"model.option_{n}": "x" * 20 for n in range(9)}, last=3)
    record.spec(made, fake.TIME)
    long = runs.trial_name(record.trial(made.id))
    assert len(long) == 120 and long.startswith("9/0 ") and long.endswith(" last=3") and "…" in long


def test_a_record_of_any_length_survives_in_tags():
    long = {"words": ["é" * 999] * 30, "nan": math.nan}
    tags = runs.chunks(long)
    assert all(len(value) <= 5000 for value in tags.values())
    assert len(tags) > 5
    assert runs.joined(tags, "a1")["words"] == long["words"]


def test_chunks_left_over_from_a_longer_record_do_no_harm():
    tags = {**runs.chunks({"reason": "x" * 20_000}), **runs.chunks({"reason": "short"})}
    assert runs.joined(tags, "a1")["reason"] == "short"


def test_tags_hold_the_whole_record(tmp_path):
    record = fake.write_study(tmp_path / "study")
    path = tmp_path / "study" / "events" / "5-0-0.jsonl"
    trail = Trail()
    trail.take(read_lines(path)[0])
    tags = _tags("lr_sweep", trail)
    assert tags["state"] == "COMPLETE"
    assert tags["attempts"] == "2"
    assert tags["data.digest"] == "d1gest"
    assert tags["replay"].startswith("python -m hpsearch +study=study optimizer.lr=")
    kept, known = runs.joined(tags, "a1"), read_trial(path)
    assert kept["params"] == known.params
    assert kept["ended"] == known.ended
    json.dumps(kept)
    record.close()


def test_a_command_too_long_for_a_tag_gives_way_to_one_that_takes_the_trial_from_the_record(tmp_path):
    fake.write_study(tmp_path / "study").close()
    record = read_trial(tmp_path / "study" / "events" / "5-0-0.jsonl")
    whole = replay_command("rates", record)
    assert runs.trial_tags("rates", Trail(), record, whole)["replay"] == whole
    long = replace(record, overrides=(f"data.classes=[{','.join(map(str, range(3000)))}]",))
    tags = runs.trial_tags("rates", Trail(), long, replay_command("rates", long))
    assert tags["replay"] == "python -m hpsearch replay rates/5/0 --check"


def test_the_note_of_a_stage_says_of_what():
    study = {"question": "Which?", "state": {"answer": "This."}}
    assert runs.note(study) == "**Which?**\n\nThis."
    assert runs.note({**study, "within": {"name": "recipe", "uid": "1"}}) == "A stage of recipe.\n\n**Which?**\n\nThis."
