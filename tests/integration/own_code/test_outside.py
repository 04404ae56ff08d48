"""Trials from outside: asked for from Python and from shells, the same record as any search."""

import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

import hpsearch
from hpsearch import load_curves, load_trials, open_search, run_search
from hpsearch.base.errors import ConfigError, HpsearchError, SpaceError, StorageError
from hpsearch.base.types import Objective, TrialState
from hpsearch.cli import run
from hpsearch.tracking.events import read_trials

SPACE = {"lr": "tag(log, interval(1e-3, 1))", "width": "int(interval(1, 9))"}
OPTIONS = {"objective": "loss", "direction": "minimize", "tracker": "none"}
INLINE = ["launcher=inline"]
X = {"x": [0, 1, 3]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loss(lr, width=1, **rest):
    return (math.log10(lr) + 1.5) ** 2 + width / 10


def answer(search, points=math.inf):
    """Train what is asked for; return the trials in their order."""
    asked = []
    while len(asked) < points and (trial := search.ask()) is not None:
        asked.append(trial)
        search.tell(trial, loss=loss(**trial.params))
    return asked


@pytest.mark.parametrize("sampler", ["random", "sobol", "tpe", "auto", "cmaes", "nsga2", "gp"])
def test_every_sampler_proposes_what_it_proposes_to_a_search_that_trains_itself(sampler):
    def inside(lr, width):
        yield {"loss": loss(lr, width)}

    given = {"space": SPACE, "sampler": sampler, "points": 14, "seed": 3, **OPTIONS}
    run_search(inside, pruner="none", overrides=INLINE, **given)
    with open_search(name="outside", **given) as search:
        answer(search)
    ours, theirs = (load_trials(name)[["args.lr", "args.width", "score"]] for name in ("outside", "inside"))
    assert ours.equals(theirs) and len(ours) == 14


def test_arguments_are_what_a_function_is_called_with():
    space = {
        "kind": ["tree", "net"],
        "kind=tree": {"depth": "int(interval(1, 9))"},
        "layers": [[8, 8], [64]],
        "act": ["relu", None],
        "width": "int(interval(1, 9))",
        "where": ["width * width < 30"],
    }

    def inside(**arguments):
        yield {"loss": 1.0}

    given = {"space": space, "arguments": {"batch": 32}, "sampler": "random", "points": 8, **OPTIONS}
    given["first"] = [{"kind": "net", "layers": [64], "act": None, "width": 5}]
    called = run_search(inside, pruner="none", overrides=INLINE, **given)
    with open_search(name="outside", **given) as search:
        asked = []
        while trial := search.ask():
            asked.append(dict(trial.params))
            search.tell(trial, loss=1.0)
    assert asked[0] == {"kind": "net", "depth": None, "layers": [64], "act": None, "width": 5, "batch": 32}
    assert asked == [record.config["args"] for record in read_trials(called.folder)]
    assert all((each["depth"] is None) == (each["kind"] == "net") for each in asked)
    assert all(each["width"] ** 2 < 30 for each in asked)
    assert search.outcome.best.params == {name: asked[0][name] for name in asked[0] if name != "batch"}


def test_it_leaves_the_record_of_any_search(capsys):
    with open_search(space=X, name="mine", sampler="grid", objective="loss", direction="minimize", seeds=2) as search:
        assert search.ask().folder.is_dir()
        search.tell("0/0", loss=1)
        while trial := search.ask():
            trial.report(loss=9, epoch=1)
            search.tell(trial, loss=(trial.params["x"] - 1) ** 2 + trial.seed / 100)
        assert search.best.params == {"x": 1} and search.why == "all 3 cells of the grid are done"
        folder = search.folder
    outcome = search.outcome
    assert (outcome.name, outcome.best.params, outcome.best.n) == ("mine", {"x": 1}, 2)
    assert (outcome.interrupted, outcome.ended) == (False, "all 3 cells of the grid are done")
    assert outcome.report == folder / "report.html" and outcome.report.is_file()
    assert outcome.counts == {TrialState.COMPLETE: 6}
    trials = load_trials("mine")
    assert list(zip(trials.point, trials.seed, strict=True)) == [(p, s) for p in range(3) for s in range(2)]
    assert trials["args.x"].tolist() == [0, 0, 1, 1, 3, 3] and set(trials.state) == {"COMPLETE"}
    assert run(["sync", "mine"]) == 0
    assert load_trials("mine", uri="sqlite:///mlflow.db").score.tolist() == trials.score.tolist()
    assert load_curves("mine").groupby(["point", "seed"]).size().tolist() == [1] * 6
    capsys.readouterr()
    assert run(["list"]) == 0 and "mine" in capsys.readouterr().out
    assert run(["report", "mine"]) == 0
    page = (folder / "README.md").read_text()
    assert "# trained outside, with x=1" in page and "python -m hpsearch ask mine " in page
    assert "MLP" not in page and not [each for each in trials if each.startswith(("model", "data", "optimizer"))]


@pytest.mark.parametrize("command", ["replay", "curvature"])
def test_what_was_trained_outside_is_not_trained_again_here(command, capsys):
    with open_search(space=X, name="mine", sampler="grid", **OPTIONS) as search:
        search.tell(search.ask(), loss=1)
    assert run([command, "mine/0/0"]) == 2
    said = capsys.readouterr().err
    assert "trial mine/0/0 was trained outside: nothing here can train it again, with x=0" in said
    assert said.count("\n") == 1


def test_a_search_goes_on_where_it_was_whatever_ended_the_session():
    given = {"space": SPACE, "name": "mine", "sampler": "random", "points": 6, **OPTIONS}
    with pytest.raises(ZeroDivisionError), open_search(**given) as search:
        first = answer(search, 2)
        left = [search.ask(), search.ask()]
        raise ZeroDivisionError
    assert search.outcome is None
    with pytest.raises(StorageError, match="study 'mine' is closed"):
        search.ask()
    with open_search(**given) as search:
        again = search.ask()
        assert (again.number, again.params) == (left[0].number, left[0].params)
        search.tell(left[1], loss=5)  # what was asked for then may be told now
        search.tell(again, loss=4)
    assert search.outcome.interrupted and search.outcome.ended == "" and search.outcome.report.is_file()
    with open_search(**given) as search:
        rest = answer(search)
    assert [trial.number for trial in (*first, *left, *rest)] == list(range(6))
    assert not search.outcome.interrupted and search.outcome.counts == {TrialState.COMPLETE: 6}
    with open_search(**given) as search:
        assert search.ask() is None and search.why == "budget.points = 6 is used up: 6 points"
    assert search.outcome.best.mean == min(load_trials("mine").score)


def test_several_objectives_and_limits():
    objective = Objective("acc", others=(Objective("seconds", "minimize"),), limits={"mib": 100})
    with open_search(space=X, name="mine", sampler="grid", objective=objective, tracker="none") as search:
        for mib in (50, 150):
            ended = search.tell(search.ask(), acc=0.5, seconds=3, mib=mib)
        with pytest.raises(ConfigError, match="'seconds': no report has it"):
            search.tell(search.ask(), acc=0.5, mib=1)
        search.tell(2, {"acc": 0.9, "seconds": 9, "mib": 9})
    assert (ended.state, ended.reason) == (TrialState.INFEASIBLE, "not compared: mib = 150 is not at most 100")
    assert search.outcome.best.params == {"x": 3}


def test_threads_may_ask_and_tell_together():
    seen = []

    def work(search):
        while (trial := search.ask()) is not None:
            seen.append(trial.number)
            trial.report(loss=2)
            search.tell(trial, loss=loss(**trial.params))

    with open_search(space=SPACE, name="mine", sampler="random", points=20, **OPTIONS) as search:
        threads = [threading.Thread(target=work, args=(search,)) for _ in range(4)]
        [each.start() for each in threads]
        [each.join() for each in threads]
    assert sorted(seen) == list(range(20)) and search.outcome.counts == {TrialState.COMPLETE: 20}


def test_a_number_alone_is_the_objective_and_a_trial_is_known_by_its_name():
    with open_search(space=X, name="mine", sampler="grid", seeds=2, **OPTIONS) as search:
        search.ask()
        assert search.tell(0, 0.25).score == 0.25
        search.ask()
        with pytest.raises(ConfigError, match="'0': point 0 has 2 trials: write POINT/SEED, such as 0/0"):
            search.tell(0, 0.5)
        assert search.tell("0/1", 0.5).id.seed == 1
        for strange in ("0/1/2/3", "a", "mine/0/1"):
            with pytest.raises(ConfigError, match="must be POINT/SEED"):
                search.tell(strange, 0.5)


def test_while_one_has_it_open_no_other_opens_it():
    given = {"space": X, "name": "mine", "sampler": "grid", **OPTIONS}
    with open_search(**given), pytest.raises(HpsearchError, match="study 'mine' is running already"):
        open_search(**given).__enter__()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"pruner": "auto"}, ConfigError, "pruner AutoPruner: pauses trials, and one that is trained outside can only"),
        ({"overrides": ["budget.seconds=3"]}, ConfigError, "budget.seconds = 3: the time of trials that are trained"),
        ({"overrides": ["budget.trial_seconds=3"]}, ConfigError, "budget.trial_seconds = 3: the time of trials"),
        ({"overrides": ["space.optimizer.lr=choice(1, 2)"]}, SpaceError, "space optimizer.lr: what is trained outside"),
        ({"space": {}}, SpaceError, "nothing to search"),
        ({"space": [1]}, ConfigError, "space = .*must be a mapping"),
        ({"name": "a/b"}, ConfigError, "study.name = 'a/b'"),
        ({"objective": "test/acc"}, ConfigError, "the test split is never an objective"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_before_anything_is_created(folder, given, error, message):
    with pytest.raises(error, match=message), open_search(**({"space": X, "name": "mine", **OPTIONS} | given)):
        pass
    assert not list(folder.iterdir())


def test_other_words_under_the_name_are_refused_and_its_command_trains_nothing(capsys):
    with open_search(space=X, name="mine", sampler="grid", **OPTIONS) as search:
        search.ask()
    with pytest.raises(StorageError, match="was started with another configuration"):
        open_search(space={"x": [0, 2]}, name="mine", sampler="grid", **OPTIONS).__enter__()
    assert run(["+study=search", "trainer=outside", "space.args.x=choice(1, 2)", "tracker=none"]) == 2
    assert "trainer = outside: nothing here can train it" in capsys.readouterr().err


# Shells


ASK = ["ask", "mine", "space.lr=interval(0, 1)", "sampler=random", "objective.metric=acc", "budget.points=3"]


@pytest.fixture
def shell(capsys):
    def say(*words, code=0):
        assert run(words) == code, capsys.readouterr().err
        printed = capsys.readouterr()
        assert printed.out.count("\n") == (code == 0)
        return json.loads(printed.out) if code == 0 else printed.err

    return say


def test_a_shell_asks_and_tells_in_json(shell, monkeypatch):
    first = shell(*ASK, "tracker=none")
    assert set(first) == {"study", "trial", "point", "seed", "fold", "params", "folder"}
    assert (first["study"], first["trial"], list(first["params"])) == ("mine", "0/0", ["lr"])
    assert Path(first["folder"]).is_dir()
    second, third = shell("ask", "mine"), shell(*ASK, "tracker=none")  # the same words may stand there every time
    assert (second["trial"], third["trial"]) == ("1/0", "2/0")
    nothing = "hpsearch: nothing to train: budget.points = 3 is used up: 3 points; 3 trials are not told yet\n"
    assert shell("ask", "mine", code=1).endswith(nothing)
    assert shell("tell", "mine", "0/0", "acc=.5", "--epoch", "4") == {"trial": "0/0", "decision": "continue"}
    told = shell("tell", "mine", "0/0", "acc=0.75")
    best = {"point": 0, "score": 0.75, "params": first["params"]}
    assert told == {"trial": "0/0", "state": "COMPLETE", "score": 0.75, "best": best}
    monkeypatch.setattr("sys.stdin", open_text(json.dumps({**second, "metrics": {"acc": 0.25}})))
    assert shell("tell", "mine")["trial"] == "1/0"
    assert shell("tell", "mine", json.dumps(third), "--failed", "no GPU")["state"] == "FAILED"
    assert shell("ask", "mine", code=1).endswith("nothing to train: budget.points = 3 is used up: 3 points\n")
    trials = load_trials("mine")
    assert trials.state.tolist() == ["COMPLETE", "COMPLETE", "FAILED"] and trials.attempts.tolist() == [1, 1, 1]
    assert trials.reason.tolist()[2] == "no GPU"
    assert Path("studies/mine/report.html").is_file()
    lines = Path("studies/mine/events/study.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["event"] == "open" for line in lines) == 1
    assert shell("ask", "mine", "budget.points=4")["trial"] == "3/0"


def open_text(text):
    import io

    return io.StringIO(text)


def test_what_stands_on_standard_input(shell, monkeypatch):
    shell(*ASK, "tracker=none"), shell("ask", "mine"), shell("ask", "mine")
    for text, trial, state in (
        ('{"acc": 0.5}', ["0/0"], "COMPLETE"),
        ('{"trial": "1/0", "failed": "it broke"}', [], "FAILED"),
        ('{"trial": "2/0", "metrics": {"acc": 0.5}}', [], "COMPLETE"),
    ):
        monkeypatch.setattr("sys.stdin", open_text(text))
        assert shell("tell", "mine", *trial)["state"] == state


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory):
    """A folder with one study that was asked for a point, and one that trains its points itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("studies"))
        assert run([*ASK, "tracker=none"]) == 0
        run_search(named_own, space={"lr": "interval(0, 1)"}, points=1, name="own", tracker="none", overrides=INLINE)
        return Path.cwd()


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["ask"], "", "NAME is missing"),
        (["ask", "new"], "", "no study 'new' in "),
        (["ask", "new", "space.lr=3"], "", "no search expression"),
        (["ask", "own"], "", "study 'own' trains its trials itself: "),
        (["ask", "mine", "study.restart=true"], "", "study.restart: every `ask` would start again"),
        (["ask", "mine", "space.lr=interval(0, 2)"], "", "was started with another configuration"),
        (["ask", "mine", "lr=3"], "", "lr"),
        (["tell"], "", "NAME is missing"),
        (["tell", "new", "0/0", "acc=1"], "", "no study 'new'"),
        (["tell", "mine", "7/0", "acc=1"], "", "trial mine/7/0 was never asked for"),
        (["tell", "mine", "1/0", "acc=1"], "", "trial mine/1/0 was never asked for"),
        (["tell", "mine", "seven", "acc=1"], "", "'seven': must be POINT/SEED"),
        (["tell", "mine", "0/0", "acc=high"], "", "acc = 'high': must be a number"),
        (["tell", "mine", "0/0", "loss=1"], "", "objective.metric = 'acc': no report has it (reported: loss)"),
        (["tell", "mine", "0/0", "acc=1", "more"], "", "'more': what was measured is written NAME=VALUE"),
        (["tell", "mine", "acc=1"], "", "of which trial? Write POINT/SEED"),
        (["tell", "mine"], "", "standard input: must be one JSON object"),
        (["tell", "mine", "0/0"], "nonsense\n", "standard input: must be one JSON object"),
        (["tell", "mine"], '{"acc": 1}', "standard input: names no 'trial'"),
        (["tell", "mine", '{"point": 0}', "acc=1"], "", "names no 'trial': pass on what `ask` printed"),
        (["tell", "mine", "0/0"], '{"metrics": [1]}', "must be a table such as"),
        (["tell", "mine", "0/0", "acc=1", "--epoch", "-1"], "", "epoch"),
        (["tell", "mine", "0/0", "acc=1", "--epoch", "x"], "", "--epoch"),
        (["list", "--epoch", "1"], "", "--epoch belongs to `python -m hpsearch tell`"),
        (["list", "--failed"], "", "--failed belongs to `python -m hpsearch tell`"),
    ],
)
def test_a_shell_is_refused_in_one_line_and_nothing_changes(
    words, stdin, message, two_studies, folder, shell, monkeypatch, capsys
):
    shutil.copytree(two_studies, folder, dirs_exist_ok=True)
    before = contents()
    monkeypatch.setattr("sys.stdin", open_text(stdin))
    assert run(words) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""
    assert [line for line in said.err.splitlines() if line.startswith("hpsearch: ")] == [said.err.splitlines()[-1]]
    assert contents() == before
    assert shell("tell", "mine", "0/0", "acc=1")["state"] == "COMPLETE"


def named_own(lr):
    yield {"valid/acc": lr}


def contents():
    """What trials and samplers know, whatever commands looked at it."""
    files = [path for path in Path("studies").rglob("events/*-*.jsonl")]
    return {path: path.read_bytes() for path in files}


def test_a_point_is_given_up_and_added_by_hand_between_two_commands(shell, capsys):
    shell(*ASK, "tracker=none")
    assert run(["skip", "mine/0"]) == 0 and run(["try", "mine", "lr=0.125"]) == 0
    said = capsys.readouterr().out
    assert "point 0 of study 'mine' is given up by hand" in said and "python -m hpsearch ask mine" in said
    added = shell("ask", "mine")
    assert (added["trial"], added["params"]) == ("1/0", {"lr": 0.125})
    assert shell("tell", "mine", "0/0", "acc=1")["state"] == "PRUNED"


LOOP = """
while point=$("{python}" -m hpsearch ask mine 2>>"$1.err"); do
    echo "$point" >>"$1.asked"
    echo "$point" | "{python}" train.py | "{python}" -m hpsearch tell mine >>"$1.told" 2>>"$1.err" || exit 9
done
tail -n 1 "$1.err"
"""
TRAIN = """
import json, sys
point = json.load(sys.stdin)
print(json.dumps({"trial": point["trial"], "metrics": {"acc": point["params"]["x"] / 10}}))
"""


@pytest.mark.long
@pytest.mark.slow
def test_two_shell_loops_train_every_cell_once_between_them(folder):
    (folder / "train.py").write_text(TRAIN)
    (folder / "loop.sh").write_text(LOOP.replace("{python}", sys.executable))
    words = ["space.x=range(0, 6)", "sampler=grid", "objective.metric=acc"]
    ask = [sys.executable, "-m", "hpsearch", "ask", "mine"]
    environment = {**os.environ, "PYTHONPATH": str(Path(hpsearch.__file__).parents[1])}
    first = json.loads(subprocess.run([*ask, *words], env=environment, capture_output=True, check=True).stdout)
    loops = [
        subprocess.Popen(["sh", "loop.sh", name], env=environment, stdout=subprocess.PIPE, text=True)
        for name in ("one", "other")
    ]
    ends = [loop.communicate()[0] for loop in loops]
    assert [loop.returncode for loop in loops] == [0, 0]
    assert all("nothing to train: all 6 cells of the grid are done" in end for end in ends)
    asked = [json.loads(line) for name in ("one", "other") for line in Path(f"{name}.asked").read_text().splitlines()]
    told = [json.loads(line) for name in ("one", "other") for line in Path(f"{name}.told").read_text().splitlines()]
    assert sorted([each["params"]["x"] for each in (first, *asked)]) == list(range(6))
    assert Counter(each["trial"] for each in told) == Counter(each["trial"] for each in asked)
    assert set(load_trials("mine").state) == {"COMPLETE", "RUNNING"}  # the first one was never told
    subprocess.run([*ask[:-2], "tell", "mine", first["trial"], "acc=0"], env=environment, check=True)
    trials = load_trials("mine")
    assert trials.score.tolist() == [x / 10 for x in trials["args.x"]] and len(trials) == 6
    assert run(["sync", "mine"]) == 0
    assert set(load_trials("mine", uri="sqlite:///mlflow.db").state) == {"COMPLETE"}
    assert (folder / "studies" / "mine" / "report.html").is_file()
