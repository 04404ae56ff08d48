"""Studies that somebody else wrote: nothing of them is run, looked up or followed; each is refused in one line."""

import json
import os
import pickle
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from hpsearch import Silent, compare, draw, export_tables, load_curves, load_trials, run_trial
from hpsearch.base.environment import revealed
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.types import TrialState
from hpsearch.cli import run
from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.config.environment import taken
from hpsearch.models.transformers import _random
from hpsearch.study.run_stages import from_dict, stage_views
from hpsearch.tracking import query, sender
from hpsearch.tracking.home import FoundExperiment
from hpsearch.trial.reading import end_of
from hpsearch.trial.resume import STATE, Checkpoints

PLACE = ("launcher=inline", "tracker=none")
SECRET = "hush-hush"
EVIL = """
import os
from pathlib import Path
Path(os.environ["CANARY"]).write_text("ran")
def train(**arguments):
    yield {"valid/acc": 1.0}
class Net:
    pass
"""
WRITES = {"_target_": "hpsearch.base.files.replace_text", "path": "../outside/canary", "text": "ran"}
PROGRAM = {"_target_": "hpsearch.trial.command.run", "command": ["touch", "../outside/canary"], "arguments": "dashes"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a single trial, and a study that a shell asks; both are of this version and whole."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["model=softmax", "trainer.epochs=1", "trainer.device=cpu", *PLACE]
        assert run_trial(words, observer=Silent()).state is TrialState.COMPLETE
        assert run(["ask", "mine", "space.x=choice(1, 2)", "objective.metric=acc", "tracker=none"]) == 0
    (folder / "studies" / "single" / "evil.py").write_text(EVIL)
    conf = folder / "studies" / "single" / "conf"
    conf.mkdir()
    (conf / "plugins.yaml").write_text("plugins: [studies]\n")
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A working folder with these studies, beside a folder that nothing may change."""
    shutil.copytree(made / "studies", tmp_path / "project" / "studies")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "private").write_text("mine alone")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    monkeypatch.setenv("CANARY", str(tmp_path / "outside" / "canary"))
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("HPSEARCH_STRANGER", "")
    return tmp_path / "project"


def files(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink() and path.is_file() and "__pycache__" not in path.parts:
            found[path.relative_to(folder)] = path.read_bytes()
    return found


def refused(project, capsys, words, *said):
    """Run a command line; it says one line, and changes nothing outside the folder of studies."""
    before = files(project.parent / "outside")
    capsys.readouterr()
    code = run(words)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hpsearch: ")]
    assert code == 2 and len(lines) == 1, (code, lines)
    assert all(part in lines[0] for part in said), lines[0]
    assert SECRET not in lines[0] and "Traceback" not in lines[0]
    assert files(project.parent / "outside") == before
    assert [path.name for path in project.iterdir()] == ["studies"]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, events):
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))


def edit(project, values, kind="spec", study="single"):
    """Change fields of lines of a kind of the trial's record, by dotted key; new parts of a configuration too."""
    path = project / "studies" / study / "events" / "0-0-0.jsonl"
    events = lines_of(path)
    for event in events:
        if event["event"] == kind:
            for key, value in values.items():
                holder, _, last = key.rpartition(".")
                target = event
                for part in filter(None, holder.split(".")):
                    target = target[part]
                target[last] = value
    write(path, events)


LOOKUPS = {
    "the environment": {"config.data.split_seed": "${oc.env:SECRET}"},
    "the environment with a default": {"config.data.split_seed": "${oc.env:NONE,${oc.env:SECRET}}"},
    "a text around it": {"config.data.positive": "at ${oc.env:SECRET}/x"},
    "an object made of a text": {"config.model.out": "${oc.create:'{_target_: os.system}'}"},
    "a text that is decoded": {"config.seed": "${oc.decode:'[1, 2]'}"},
    "a table's keys": {"config.args": {"x": "${oc.dict.keys:model}"}},
    "another key": {"config.trainer.epochs": "${seed}"},
    "in a list": {"config.data.classes": [1, "${oc.env:SECRET}"]},
    "in a list of tables": {"config.model.layers": [{"x": ["${oc.env:SECRET}"]}]},
    "as a target": {"config.model._target_": "${oc.env:SECRET}"},
    "in the source of weights": {"config.finetune.source": "${oc.env:SECRET}.pt"},
}


@pytest.mark.parametrize("command", ["replay", "curvature"])
@pytest.mark.parametrize("case", LOOKUPS)
def test_a_record_looks_nothing_up(case, command, project, capsys):
    edit(project, LOOKUPS[case])
    refused(project, capsys, [command, "single/0/0", *PLACE], "is looked up for no record; give the value")


TARGETS = {
    "a function that writes a file": WRITES,
    "a function that moves a folder": {"_target_": "hpsearch.study.folder.move_aside", "folder": "../outside"},
    "another function that moves one": {"_target_": "hpsearch.base.platform.move_folder"},
    "a lock": {"_target_": "hpsearch.search.lock.study_lock", "folder": "../outside"},
    "a private class of torch": {"_target_": "torch._C._aoti.AOTIModelContainerRunnerCpu"},
    "a pickle": {"_target_": "torch.load", "f": "x"},
    "code of a repository": {"_target_": "torch.hub.load", "repo_or_dir": "x"},
    "a script of torch": {"_target_": "torch.jit.ScriptModule"},
    "a reader of files of torch": {"_target_": "torch.utils.data.datapipes.iter.FileOpener"},
    "a class of torch that no option names": {"_target_": "torch.nn.Flatten"},
    "a database": {"_target_": "optuna.storages.RDBStorage", "url": "sqlite:///x"},
    "a store of ours": {"_target_": "hpsearch.tracking.mlflow.MlflowTracker", "uri": "http://host"},
    "a journal of ours": {"_target_": "hpsearch.search.storage.JournalStore"},
    "workers of ours": {"_target_": "hpsearch.launch.processes.ProcessLauncher", "log_folder": "../outside"},
    "a shell": {"_target_": "os.system", "command": "touch ../outside/canary"},
    "a process": {"_target_": "subprocess.Popen", "args": ["touch", "../outside/canary"]},
    "an expression": {"_target_": "builtins.eval"},
    "a module beside its record": {"_target_": "studies.single.evil.Net"},
    "a function of a notebook": {"_target_": "hpsearch_given.train"},
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_record_makes_nothing_that_options_of_ours_do_not_name(case, project, capsys):
    edit(project, {"config.model.inner": [{"deep": TARGETS[case]}], "config.plugins": ["studies"]})
    refused(project, capsys, ["replay", "single/0/0", *PLACE], TARGETS[case]["_target_"], "a record may name")


@pytest.mark.parametrize("group", ["model", "loss", "trainer", "optimizer", "data", "objective"])
@pytest.mark.parametrize("command", ["replay", "curvature", "continue"])
def test_a_record_names_no_code_and_no_packages(group, command, project, capsys):
    edit(project, {f"config.{group}": {"_target_": "studies.single.evil.train"}, "config.plugins": ["studies"]})
    words = ["trainer.epochs=2"] if command == "continue" else []
    end = project / "studies" / "single" / "trials" / "0-0-0" / "end.pt"
    end.unlink(missing_ok=True)
    refused(project, capsys, [command, "single/0/0", *words, *PLACE])


def test_packages_are_named_on_the_command_line(project, capsys):
    edit(project, {"config.trainer": {"_target_": "studies.single.evil.train"}})
    assert run(["replay", "single/0/0", "plugins=[studies]", *PLACE]) == 0
    assert Path(os.environ["CANARY"]).read_text() == "ran"


def test_a_program_is_named_on_the_command_line(project, capsys):
    edit(project, {"config.trainer": PROGRAM})
    refused(project, capsys, ["replay", "single/0/0", *PLACE], "[touch,", "a program of a record is not run")
    run(["replay", "single/0/0", "trainer.command=[touch,../outside/made]", *PLACE])
    assert sorted(path.name for path in (project.parent / "outside").iterdir()) == ["made", "private"]


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "PYTHONPATH", "BASH_ENV"])
def test_a_record_tells_a_program_no_variable_that_changes_what_it_is(name, project, capsys):
    edit(project, {"config.trainer": {**PROGRAM, "arguments": "environment"}, "config.args": {name: "evil.so"}})
    refused(project, capsys, ["replay", "single/0/0", "trainer.command=['true']", *PLACE], f"args.{name}")


SPECIFICATIONS = {
    "a place as a point": {"point": "../../../outside/x"},
    "a text as a seed": {"seed": "0"},
    "no configuration": {"config": ["x"]},
    "a text as a trainer": {"config.trainer": "x"},
    "a number among words": {"overrides": ["seed=1", 7]},
    "no folder": {"folder": None},
}


@pytest.mark.parametrize("command", ["replay", "report"])
@pytest.mark.parametrize("case", SPECIFICATIONS)
def test_what_is_no_specification_is_refused(case, command, project, capsys):
    edit(project, SPECIFICATIONS[case])
    words = ["single"] if command == "report" else ["single/0/0", *PLACE]
    refused(project, capsys, [command, *words], "0-0-0.jsonl: ")


NOT_NAMED = {
    "a target": "optimizer._target_=torch.optim.Rprop",
    "a target in a table": "model={_target_: torch.nn.Flatten}",
    "a target of a module beside the record": "model._target_=studies.single.evil.Net",
}


@pytest.mark.parametrize("case", NOT_NAMED)
def test_words_of_a_record_name_what_a_record_may_name(case, project, capsys):
    edit(project, {"overrides": ["model=softmax", NOT_NAMED[case]]})
    (project / "studies" / "single" / "trials" / "0-0-0" / "end.pt").touch()
    words = ["continue", "single/0/0", "trainer.epochs=2", "launcher=inline"]
    refused(project, capsys, words, "a record may name what options of hpsearch name")


WORDS = {
    "a folder of configuration": ["--config-dir", "studies/single/conf"],
    "packages": ["plugins=[studies]"],
    "an address": ["tracker.uri=http://host"],
    "an address in a table": ["tracker={uri: 'http://host'}"],
    "a secret in an address": ["tracker.uri='http://host/${oc.env:SECRET}'"],
    "a secret": ["data.root='${oc.env:SECRET}'"],
    "a secret in the space": ["space.x='${oc.env:SECRET}'"],
    "an object": ["model.hidden='${oc.create:\"{a: 1}\"}'"],
    "a folder of logs": ["launcher.log_folder=../outside"],
    "a store": ["storage.url=sqlite:///x"],
    "a program": ["trainer=command"],
    "a program with signs": ["++trainer='command'"],
    "the words of a program": ["trainer.command=[touch,../outside/canary]"],
    "a target": ["optimizer._target_=os.system"],
}


@pytest.mark.parametrize("case", WORDS)
def test_a_trial_is_not_continued_by_words_of_its_record(case, project, capsys):
    edit(project, {"overrides": ["model=softmax", *WORDS[case]]})
    (project / "studies" / "single" / "trials" / "0-0-0" / "end.pt").touch()
    refused(project, capsys, ["continue", "single/0/0", "trainer.epochs=2", "launcher=inline"])


@pytest.mark.parametrize("command", ["ask", "tell"])
@pytest.mark.parametrize("case", WORDS)
def test_a_study_is_not_gone_on_with_by_words_of_its_record(case, command, project, capsys):
    path = project / "studies" / "mine" / "study.yaml"
    study = yaml.safe_load(path.read_text())
    first, rest = shlex.split(study["command"])[:5], shlex.split(study["command"])[5:]
    path.write_text(yaml.safe_dump({**study, "command": shlex.join([*first, *WORDS[case], *rest])}))
    words = ["mine"] if command == "ask" else ["mine", "0/0", "acc=1"]
    refused(project, capsys, [command, *words])


def test_what_no_record_gives_is_said_again(project, capsys):
    path = project / "studies" / "mine" / "study.yaml"
    study = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**study, "command": f"{study['command']} tracker.uri=http://host"}))
    refused(project, capsys, ["tell", "mine", "0/0", "acc=1"], "tracker.uri=http://host: is not taken from a record")
    assert run(["tell", "mine", "0/0", "acc=1", "tracker.uri=null", "tracker=none"]) in (0, 2)


NAMES = ("../outside", "/outside", "a/../../outside", "..", ".hidden", "a\\b", "a b", "")
COMMANDS = {
    "report": lambda name: ["report", name],
    "report beside": lambda name: ["report", "single", name],
    "print": lambda name: ["report", name, "--print"],
    "tables": lambda name: ["report", name, "--tables"],
    "sync": lambda name: ["sync", name],
    "replay": lambda name: ["replay", f"{name}/0/0", *PLACE],
    "curvature": lambda name: ["curvature", f"{name}/0/0", *PLACE],
    "continue": lambda name: ["continue", f"{name}/0/0", *PLACE],
    "layers": lambda name: ["show", "layers", f"{name}/0/0"],
    "try": lambda name: ["try", name, "x=1"],
    "skip": lambda name: ["skip", f"{name}/0"],
    "ask": lambda name: ["ask", name, "space.x=choice(1)", "objective.metric=acc"],
    "tell": lambda name: ["tell", name, "0/0", "acc=1"],
    "weights": lambda name: ["finetune=all", f"finetune.source='{name}/0/0'", *PLACE],
    "a prior": lambda name: ["+study=lr_sweep", f"sampler.prior='{name}'", "sampler=tpe", *PLACE],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_leads_to_no_other_folder(command, project, capsys):
    shutil.copytree(project / "studies" / "single", project.parent / "outside" / "events" / "..", dirs_exist_ok=True)
    refused(project, capsys, COMMANDS[command]("../../outside"))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_another_path(name, project, capsys):
    refused(project, capsys, ["report", name], "is no name of a study")


@pytest.mark.parametrize("function", [load_trials, load_curves, draw, export_tables, lambda name: compare(name, "a")])
def test_no_name_is_another_path_from_python(function, project):
    with pytest.raises(ConfigError, match="is no name of a study"):
        function("../outside")


LINKS = (
    "owner.json",
    "study.yaml",
    "lock",
    "optuna.journal",
    "events/study.jsonl",
    "events/0-0-0.jsonl",
    "events",
    "tracking",
    "tracking/0123456789ab.jsonl",
    "requests",
    "trials",
    "trials/0-0-0",
    "trials/0-0-0/log.txt",
    "trials/0-0-0/best.safetensors",
    "trials/0-0-0/media",
    "trials/0-0-0/media/x/1.txt",
)


@pytest.fixture
def linked(request, project):
    """A study in whose folder a link leads to a copy of what stood there, outside."""
    place = project / "studies" / "single" / request.param
    elsewhere = project.parent / "outside" / "there"
    if place.exists():
        shutil.move(place, elsewhere)
    else:
        elsewhere.mkdir() if "." not in place.name and place.name != "lock" else elsewhere.write_text("kept")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere)
    return project


@pytest.mark.parametrize("linked", LINKS, indirect=True)
def test_links_that_lead_out_of_a_study_are_not_followed(linked, capsys):
    refused(linked, capsys, ["report", "single"], "is a link that leads out of")
    refused(linked, capsys, ["sync", "single", *PLACE[1:]], "is a link that leads out of")
    before = files(linked.parent / "outside")
    assert run(["list"]) == 0 and "DAMAGED" in capsys.readouterr().out.upper()
    run(["model=softmax", "trainer.epochs=1", "trainer.device=cpu", *PLACE])
    assert files(linked.parent / "outside") == before


def test_a_link_of_the_users_own_program_stays(project, capsys):
    (project / "studies" / "single" / "trials" / "0-0-0" / "latest.ckpt").symlink_to(project.parent / "outside")
    assert run(["report", "single"]) == 0


ARTIFACTS = {
    "a file beside the study": ({"artifacts": ["../../../../outside/private"]}, "state"),
    "an absolute name": ({"artifacts": ["/etc/hostname"]}, "state"),
    "by the folder of the trial": ({"folder": "../../../outside"}, "spec"),
    "by a link": ({"artifacts": ["latest"]}, "state"),
}


class Writer:
    """A tracking store that notes which files it is given."""

    experiment = "1"
    files_together = 1

    def __init__(self):
        self.files = []

    def __getattr__(self, name):
        return lambda *_, **__: None

    def together(self):
        return open(os.devnull)  # noqa: PTH123 - anything that a with statement takes

    def enter(self, home):
        return FoundExperiment("1", home.name, False, {})

    def find(self, *_):
        return []

    def tags(self, *_):
        return {}

    def create(self, *_):
        return "run"

    def file(self, run, source, folder=""):
        self.files.append(source.resolve())


@pytest.fixture
def writer(monkeypatch):
    writer = Writer()
    monkeypatch.setattr(sender, "open_writer", lambda *_: writer)
    monkeypatch.setattr("hpsearch.tracking.store.check_store", lambda _uri: None)
    return writer


@pytest.mark.parametrize("path", ["../../../outside/private", "/etc/hostname"])
def test_sync_sends_no_file_from_outside_that_a_study_names(path, project, capsys, writer):
    file = project / "studies" / "mine" / "events" / "study.jsonl"
    write(file, [*lines_of(file), {"event": "artifact", "time": 0, "path": path}])
    refused(project, capsys, ["sync", "mine"], "lies outside")
    assert not writer.files


@pytest.mark.parametrize("case", ARTIFACTS)
def test_sync_sends_no_file_from_outside(case, project, capsys, writer):
    trial = project / "studies" / "single" / "trials" / "0-0-0"
    (trial / "latest").symlink_to(project.parent / "outside" / "private")
    values, kind = ARTIFACTS[case]
    edit(project, {"artifacts": ["log.txt"]} if kind == "spec" else values, "state")
    edit(project, values if kind == "spec" else {}, kind)
    refused(project, capsys, ["sync", "single"], "lies outside")
    assert not [path for path in writer.files if not path.is_relative_to(project)]


def test_a_run_of_another_store_names_no_other_folder(project, capsys, monkeypatch):
    tags = {query.TRIAL: "0-0-0", query.runs.RECORD_FIRST: "{}", query.STUDY_NAME: "../../outside"}
    logged = SimpleNamespace(data=SimpleNamespace(tags=tags), info=SimpleNamespace(run_name="x"))
    monkeypatch.setattr(query, "_client", lambda _uri: None)
    monkeypatch.setattr(query, "_run", lambda _client, _run_id: logged)
    monkeypatch.setattr(query, "_artifact", lambda *_: {})
    refused(project, capsys, ["replay", "0" * 32, "launcher=inline"], "is no name of a study")
    monkeypatch.setattr(query, "_artifact", lambda *_: "text")
    refused(project, capsys, ["replay", "0" * 32, "launcher=inline"], "its config.yaml is no table")


def test_tags_of_yaml_make_nothing(project, capsys):
    path = project / "studies" / "mine" / "study.yaml"
    path.write_text("command: !!python/object/apply:os.system ['touch ../outside/canary']\n")
    refused(project, capsys, ["ask", "mine"], "is damaged")


def test_a_pickle_is_not_run_for_its_weights(project, capsys):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch ../outside/canary",)

    for name in ("last.pt", "end.pt"):
        (project / "studies" / "single" / "trials" / "0-0-0" / name).write_bytes(pickle.dumps(Evil()))
    (project / "studies" / "single" / "trials" / "0-0-0" / "best.safetensors").unlink(missing_ok=True)
    refused(project, capsys, ["continue", "single/0/0", "trainer.epochs=2", *PLACE])
    refused(project, capsys, ["curvature", "single/0/0", *PLACE])


def test_what_a_stage_found_is_looked_up_nowhere():
    fields = dict.fromkeys(("sentence", "numbers", "cause", "action", "series"), "") | {"verdict": "PASS"}
    with pytest.raises(ConfigError, match="is looked up nowhere"):
        from_dict({**fields, "verdict": "pass", "handed": {"winner": {"optimizer.lr": "${oc.env:SECRET}"}}})


@pytest.mark.parametrize("target", ["studies.single.evil.Net", "hpsearch.study.api.run_study", "torch.nn.Flatten"])
def test_a_page_shows_a_stage_of_a_stranger_by_its_name(target, project, monkeypatch):
    monkeypatch.setattr("hpsearch.study.run_stages.build", lambda *_: pytest.fail("it was made"))
    study = {"recipe": ["x"], "config": {"stages": {"x": {"_target_": target}}}, "objective": {"metric": "valid/acc"}}
    assert stage_views(study)["x"].title == "x" and not Path(os.environ["CANARY"]).exists()


def test_a_value_of_a_journal_is_looked_up_nowhere(monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    with pytest.raises(ConfigError, match="an interpolation is no value of a point"):
        compose(["model=softmax"]).trial({"optimizer.lr": "${oc.env:SECRET}"}, 0)


def test_a_text_stays_one_where_objects_are_made(monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    inner = {"_target_": "hpsearch.metrics.acc.Accuracy"}
    config = {"_target_": "hpsearch.base.types.Objective", "metric": "${oc.env:SECRET}"}
    assert build("objective", config).metric == "${oc.env:SECRET}"
    with pytest.raises(HpsearchError) as error:  # something to make beside it
        build("objective", {**config, "direction": "${oc.env:SECRET}", "others": [inner]})
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("name", ["../../outside/private", "/etc/hostname", 7])
def test_a_noted_checkpoint_lies_in_the_folder_of_its_trial(name, project):
    trial = project / "studies" / "single" / "trials" / "0-0-0"
    (trial / STATE).write_text(json.dumps({"checkpoint": [name, 1, 1, 1], "kept": name, "reports": []}))
    before = files(project.parent)
    Checkpoints(trial).release()
    assert files(project.parent) == before


def test_code_beside_weights_is_not_run(tmp_path):
    with pytest.raises(ConfigError, match="trust_remote_code: code that lies beside weights is not run"):
        _random(None, str(tmp_path), {"trust_remote_code": True}, False)


@pytest.mark.parametrize("target", ["hpsearch.base.files.replace_text", "hpsearch.study.session.StudySession"])
def test_no_class_fits_a_group_by_its_methods_alone(target):
    with pytest.raises(HpsearchError, match=r"is not hpsearch.search.storage.Store"):
        build("storage", {"_target_": target, "path": "x", "text": "y"})


def test_a_record_does_not_say_which_variables_are_looked_up(monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("MINE", "here")
    taken({"path": "${oc.env:MINE}"})
    assert revealed(["${oc.env:SECRET}/a", "${oc.env:MINE}/a"]) == ["${oc.env:SECRET}/a", "here/a"]


def test_what_is_private_to_torch_is_not_made(monkeypatch):
    monkeypatch.setattr("hpsearch.config.build.import_module", lambda _: pytest.fail("it was imported"))
    with pytest.raises(ConfigError, match="is private to torch"):
        build("model", {"_target_": "torch._C._aoti.AOTIModelContainerRunnerCpu"}, ("torch",))


def test_a_trial_goes_on_from_no_other_folder():
    with pytest.raises(ConfigError, match="is no name of a study"):
        end_of("../0/0")
