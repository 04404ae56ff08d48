"""Workers: started once, stopped or killed, and what they refuse before anything is created."""

import math
from pathlib import Path

import pytest

from hpsearch.base.contents import DataState
from hpsearch.base.errors import ConfigError
from hpsearch.config.code import CodeReader
from hpsearch.config.compose import compose
from hpsearch.study.workers import Workers, check_metric
from tests.support.session import ScriptedLauncher

COMPOSITION = compose(["+study=lr_sweep", "tracker=none"])
CONFIG = COMPOSITION.trial({}, 0).config
METRICS = ["valid/acc", "train/loss"]


def workers(*facts, given=False):
    log = []
    launcher = ScriptedLauncher(log, list(facts))
    made = Workers(COMPOSITION, launcher)
    made._borrowed = given
    return made, log


def test_they_start_once_and_stop_at_the_end():
    ours, log = workers()
    with ours:
        ours.start(CONFIG)
        ours.start(CONFIG)
        ours.stop()
    assert log == ["start", "stop"]


def test_an_error_kills_them():
    ours, log = workers()
    with pytest.raises(KeyboardInterrupt), ours:
        ours.start(CONFIG)
        raise KeyboardInterrupt
    assert log == ["start", "kill"]


def test_those_of_somebody_else_stay():
    theirs, log = workers({"metrics": METRICS, "loss": 1.0}, given=True)
    with theirs:
        theirs.check({"": CONFIG})
    assert log == ["call"]


def test_every_machine_must_read_the_data_that_the_first_one_read():
    class Several(ScriptedLauncher):
        def everywhere(self, function, *args, unlike):
            self.log.append((function.__name__, args, unlike))

    def read(samples):
        return {"metrics": METRICS, "loss": 1.0, "state": DataState(samples=samples)}

    log = []
    Workers(COMPOSITION, Several(log, [read("a"), {"metrics": METRICS}])).check({"": CONFIG, "model=mlp": CONFIG})
    *_, (name, args, unlike), _, (_, _, of_own) = log
    assert (name, args) == ("preflight", (CONFIG, None, "", ()))
    assert unlike(read("a")) == ""
    assert (
        unlike(read("b"))
        == f"its data are others: digest {read('b')['state'].digest}, elsewhere {read('a')['state'].digest}"
    )
    assert of_own({"metrics": None}) == ""


@pytest.mark.parametrize(
    ("there", "said"), [({}, "program.sh is not there; "), ({"program.sh": "0"}, "program.sh is another one there; ")]
)
def test_the_files_of_a_program_must_be_the_drivers_on_the_machine_that_trains(tmp_path, monkeypatch, there, said):
    monkeypatch.chdir(tmp_path)
    Path("program.sh").write_text("echo valid/acc=1")
    config = compose(["+study=search", "trainer=command", "trainer.command=[sh,program.sh]"]).config
    right = {"metrics": None, "files": CodeReader().of(config).files}
    assert list(right["files"]) == ["program.sh"]
    Workers(COMPOSITION, ScriptedLauncher([], [right])).check({"": config})
    with pytest.raises(ConfigError, match=said):
        Workers(COMPOSITION, ScriptedLauncher([], [right | {"files": there}])).check({"": config})


@pytest.mark.parametrize(
    ("losses", "refused"), [((math.inf, 1.0), False), ((1.0, math.nan), False), ((math.nan, math.inf), True)]
)
def test_a_study_without_a_finite_loss_is_refused(losses, refused):
    ours, log = workers(*({"metrics": METRICS, "loss": loss} for loss in losses))
    configs = {f"model={place}": CONFIG for place in range(len(losses))}
    if refused:
        with pytest.raises(ConfigError, match=r"first batch is nan in every setting that was tried \(2\)"):
            ours.check(configs)
    else:
        ours.check(configs)
    assert log == ["start", "call", "call"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("parameters", None),
        ("valid/loss", None),
        ("parameter", r"objective.others\[0\].metric = 'parameter': no report has it, did you mean 'parameters'"),
        ("test/acc", r"objective.others\[0\].metric = 'test/acc'"),
    ],
)
def test_an_objective_beside_the_first_is_reported_or_a_fact(metric, message):
    composition = COMPOSITION.with_values({"objective.others": [{"metric": metric, "direction": "minimize"}]})
    further = [*METRICS, "valid/loss", "parameters"]
    if message is None:
        check_metric(composition, METRICS, further)
        check_metric(composition, None)
    else:
        with pytest.raises(ConfigError, match=message):
            check_metric(composition, METRICS, further)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("parameter", r"^objective\.limits\.parameter = 5: no report has 'parameter', did you mean 'parameters'\?"),
        ("test/acc", r"^objective\.limits\.test/acc = 5: the test split is never"),
    ],
)
def test_a_limit_is_named_with_its_value(metric, message):
    composition = COMPOSITION.with_values({"objective.limits": {metric: 5}})
    with pytest.raises(ConfigError, match=message):
        check_metric(composition, METRICS, [*METRICS, "parameters", "test/acc"])


def test_the_searched_options_are_named_where_one_is_refused():
    ours, _ = workers({"metrics": METRICS}, ConfigError("no such layer"))
    with pytest.raises(ConfigError, match=r"^no such layer \(met with model=lenet\)$"):
        ours.check({"model=mlp": CONFIG, "model=lenet": CONFIG})


@pytest.mark.parametrize(
    ("metric", "known", "message"),
    [
        ("valid/acc", METRICS, None),
        ("valid/acc", None, None),
        ("valid/accu", METRICS, "no report has it, did you mean 'valid/acc'"),
        ("test/acc", None, "the test split is never an objective"),
        ("test/acc", ["test/acc"], "the test split is never an objective"),
    ],
)
def test_an_objective_is_reported_and_not_of_the_test_split(metric, known, message):
    composition = COMPOSITION.with_values({"objective.metric": metric})
    if message is None:
        check_metric(composition, known)
    else:
        with pytest.raises(ConfigError, match=message):
            check_metric(composition, known)


@pytest.mark.parametrize("seconds", [None, 5])
def test_what_hangs_before_a_search_is_bounded_by_the_limit_of_silence(seconds):
    asked = []

    class Hanging(ScriptedLauncher):
        def call(self, function, *args, within_sec=None):
            asked.append(within_sec)
            raise TimeoutError

    words = [] if seconds is None else [f"budget.silent_seconds={seconds}"]
    made = Workers(compose(["+study=lr_sweep", "tracker=none", *words]), Hanging([], []))
    if seconds is None:
        made.launcher = ScriptedLauncher([], [{"metrics": METRICS, "loss": 1.0}])
        made.check({"": CONFIG})
        return
    with made, pytest.raises(ConfigError, match=r"^budget\.silent_seconds = 5: .*60 s more .*from the command line"):
        made.check({"model=mlp": CONFIG})
    assert asked == [65]


def test_what_was_guessed_in_reading_data_is_returned_once():
    told = {"metrics": METRICS, "loss": 1.0, "notes": ("read with delimiter ';'",)}
    ours, _ = workers(told, told)
    assert ours.check({"a=1": CONFIG, "a=2": CONFIG}).notes == ("read with delimiter ';'",)
