import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import hpsearch.cli
import hpsearch.study.api
import hpsearch.study.existing
import hpsearch.study.printed
import hpsearch.study.single
import hpsearch.terminal.summary
import hpsearch.tracking.ui
from hpsearch.base.errors import DataError
from hpsearch.cli import run
from hpsearch.terminal.help import COMMANDS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def asked(monkeypatch):
    """Replaces what the commands do; returns the list of calls."""
    calls = []

    def fake(name, outcome):
        def function(*args, **kwargs):
            kwargs = {name: value for name, value in kwargs.items() if name not in ("observer", "note")}
            calls.append((name, args, kwargs))
            return outcome

        return function

    done = SimpleNamespace(exit_code=0, same=True)
    for module, name, outcome in (
        (hpsearch.study.existing, "rebuild_report", Path("/elsewhere/report.html")),
        (hpsearch.study.printed, "print_report", Path("/elsewhere/print.html")),
        (hpsearch.study.printed, "export_tables", (Path("/elsewhere/tables.tex"), Path("/elsewhere/tables.md"))),
        (hpsearch.study.existing, "list_studies", []),
        (hpsearch.study.existing, "sync", {"lr_sweep": 3, "other": 0}),
        (hpsearch.study.single, "replay", done),
        (hpsearch.tracking.ui, "serve", 0),
    ):
        monkeypatch.setattr(module, name, fake(name, outcome))
    monkeypatch.setattr(hpsearch.cli, "composed", lambda *given: given)
    monkeypatch.setattr(hpsearch.study.api, "run_composed", fake("study", done))
    monkeypatch.setattr(hpsearch.study.single, "run_composed", fake("trial", done))
    for name in ("show_study", "show_trial", "show_replay"):
        monkeypatch.setattr(hpsearch.terminal.summary, name, lambda *args: None)
    return SimpleNamespace(calls=calls, done=done)


@pytest.mark.parametrize(
    ("line", "name", "args", "kwargs"),
    [
        ("+study=lr_sweep", "study", ((["+study=lr_sweep"], []),), {}),
        ("study=lr_sweep seed=1", "study", ((["study=lr_sweep", "seed=1"], []),), {}),
        ("space.optimizer.lr=choice(1,2)", "study", ((["space.optimizer.lr=choice(1,2)"], []),), {}),
        ("~space.a +study=x", "study", ((["~space.a", "+study=x"], []),), {}),
        ("optimizer.lr=0.05 model=mlp", "trial", ((["optimizer.lr=0.05", "model=mlp"], []),), {}),
        ("~scheduler", "trial", ((["~scheduler"], []),), {}),
        (
            "--config-dir a model=mine --config-dir b seed=1",
            "trial",
            ((["model=mine", "seed=1"], ["a", "b"]),),
            {},
        ),
        ("replay lr_sweep/3/0", "replay", ("lr_sweep/3/0",), {"overrides": [], "config_dirs": []}),
        (
            "replay --check lr_sweep/3/0 launcher.threads=2 --config-dir=a",
            "replay",
            ("lr_sweep/3/0",),
            {"overrides": ["launcher.threads=2"], "config_dirs": ["a"]},
        ),
        ("report lr_sweep", "rebuild_report", ("lr_sweep", ()), {"config_dirs": []}),
        ("report lr_sweep --print", "print_report", ("lr_sweep", None, ()), {"config_dirs": []}),
        ("report a b --tables", "export_tables", ("a", "b", ()), {"config_dirs": []}),
        ("list", "list_studies", (), {}),
        ("sync", "sync", (None,), {"overrides": [], "config_dirs": []}),
        ("sync tracker.uri=x", "sync", (None,), {"overrides": ["tracker.uri=x"], "config_dirs": []}),
        ("sync lr_sweep", "sync", ("lr_sweep",), {"overrides": [], "config_dirs": []}),
    ],
)
def test_words_reach_what_they_ask_for(asked, line, name, args, kwargs):
    assert run(line.split()) == 0
    assert asked.calls == [(name, args, kwargs)]


@pytest.mark.parametrize(
    ("line", "args", "kwargs"),
    [
        ("ui", (None, None), {"port": 5000, "study": None, "uid": None}),
        ("ui lr_sweep --port 5055", (None, None), {"port": 5055, "study": "lr_sweep", "uid": None}),
        ("ui tracker.uri=http://host:5000", ("http://host:5000", None), {"port": 5000, "study": None, "uid": None}),
    ],
)
def test_ui_is_opened_at_the_configured_store(asked, line, args, kwargs):
    assert run(line.split()) == 0
    assert asked.calls == [("serve", args, kwargs)]


def test_what_a_report_leaves_for_paper_is_named(asked, capsys):
    assert run(["report", "a", "--print", "--tables"]) == 0
    assert [name for name, *_ in asked.calls] == ["print_report", "export_tables"]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[-1] for line in lines] == ["/elsewhere/print.html", "/elsewhere/tables.tex", "/elsewhere/tables.md"]


def test_exit_code_is_that_of_the_outcome(asked):
    asked.done.exit_code = 130
    assert run(["+study=lr_sweep"]) == 130
    assert run(["seed=1"]) == 130


def test_replay_that_differs_exits_with_1_only_when_checked(asked):
    asked.done.same = False
    assert run(["replay", "a/0/0", "--check"]) == 1
    assert run(["replay", "a/0/0"]) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "reprot lr_sweep",
            "no command 'reprot', did you mean 'report'? (commands: run, new, report, list, status, ui, replay, "
            "continue, curvature, show, try, skip, ask, tell, sync, doctor; ",
        ),
        ("train", "no command 'train' (commands: "),
        ("reprot --help", "--help reprot: no such command, group or key, did you mean 'report'?"),
        ("report", "NAME is missing (usage: python -m hpsearch report NAME [OTHER] [--print] "),
        ("list --print", "--print belongs to `python -m hpsearch report`"),
        ("seed=1 --tables", "--tables belongs to `python -m hpsearch report`"),
        ("report --tables", "NAME is missing"),
        ("replay --check", "RUN is missing (usage: python -m hpsearch replay RUN [--check])"),
        ("report a b c", "unexpected c (usage: "),
        ("list seed=1", "unexpected seed=1"),
        ("--nonsense", "--nonsense; see python -m hpsearch --help"),
        ("--cfg hydra", "invalid choice: 'hydra'"),
        ("ui --port many", "invalid int value: 'many'"),
        ("seed=1 --port 5000", "--port belongs to `python -m hpsearch ui`"),
        ("run lr=choice(1,2)", "no program: its words come after --, as in `python -m hpsearch run"),
        ("run --points 3 -- sh x", "--points 3: nothing is searched"),
        ("list --points 3", "--points belongs to `python -m hpsearch run`"),
        ("report a --check", "--check belongs to `python -m hpsearch replay`"),
        ("-m optimizer.lr=1,2", "-m/--multirun is not needed: +study=NAME runs a search"),
        ("--multirun", "-m/--multirun is not needed"),
        ("--config-dir", "--config-dir: expected one argument"),
    ],
)
def test_bad_words_are_one_line_and_exit_code_2(asked, capsys, line, message):
    assert run(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hpsearch: ")
    assert err.count("\n") == 1
    assert message in err
    assert asked.calls == []


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("lr=0.1", "optimizer.lr=0.1"),
        ("epochs=5 batch_size=64", "trainer.epochs=5 data.batch_size=64"),
        ("optimizer=SGD trainer.batch_size=32", "optimizer=sgd data.batch_size=32"),
        ("--lr 0.1 --epochs=5", "optimizer.lr=0.1 trainer.epochs=5"),
        ("--learning-rate=0.1 seed=1", "optimizer.lr=0.1 seed=1"),
        (
            "+study=lr_sweep ~space space.wd=choice(0,1)",
            "+study=lr_sweep '~space' 'space.optimizer.weight_decay=choice(0,1)'",
        ),
        ("+study=optimizers space.lr=choice(1,2)", "+study=optimizers 'space.optimizer.lr=choice(1,2)'"),
        ("replay lr_sweep/1/0 lr=3", None),
        ("init=kaiming", None),
        ("lr=0.1 banana=3", None),
        ("--lr", None),
    ],
)
def test_the_right_command_line_can_be_copied_from_the_refusal(tmp_path, monkeypatch, capsys, line, instead):
    monkeypatch.chdir(tmp_path)
    assert run(line.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), list(tmp_path.iterdir())) == ("", 1, [])
    command = f"; write: python -m hpsearch {instead}\n"
    assert err.endswith(command) if instead else "write: " not in err


def test_a_refusal_leaves_out_the_middle_of_what_is_endless(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["+study=lr_sweep", f"space.optimizer.lr={'[' * 100_000}choice(1)"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("hpsearch: space optimizer.lr = [[[") and len(err) < 2100
    assert "nested too deeply" in err


@pytest.mark.parametrize("words", [["modle=mlp"], ["+study=recipe", "modle=mlp"]])
def test_words_are_refused_before_what_trains_is_imported(words):
    code = (
        f"import sys; from hpsearch.cli import run; code = run({words});"
        "print(code, [name for name in ('hpsearch.study.session', 'rich', 'pandas', 'torch') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout == "2 []\n"


def test_error_for_the_user_has_no_traceback(asked, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise DataError("data.root=/nowhere: no such folder")

    monkeypatch.setattr(hpsearch.study.single, "run_composed", refuse)
    assert run(["seed=1"]) == 2
    assert capsys.readouterr().err == "hpsearch: data.root=/nowhere: no such folder\n"


def test_what_the_machine_lacks_is_one_line_and_exit_code_1(asked, monkeypatch, capsys):
    def starve(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("hpsearch.study.api.run_composed", starve)
    assert run(["+study=lr_sweep"]) == 1
    assert capsys.readouterr().err == (
        "hpsearch: the machine gives this process no more threads or memory (can't start new thread); a study goes on "
        "with the same command\n"
    )


def test_second_interrupt_says_how_to_go_on(asked, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(hpsearch.study.api, "run_composed", interrupt)
    assert run(["+study=lr_sweep", "space.a=choice(1, 2)"]) == 130
    expected = "hpsearch: stopped; go on with: python -m hpsearch +study=lr_sweep 'space.a=choice(1, 2)'\n"
    assert capsys.readouterr().err == expected


def test_bare_command_shows_what_to_start_with_and_trains_nothing(asked, capsys):
    assert run([]) == 0
    assert capsys.readouterr().out.count("  python -m hpsearch ") == 3
    assert asked.calls == []


def test_help_lists_commands_groups_and_defaults(capsys):
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name}" in out for name in COMMANDS)
    assert "momentum*" in out
    assert re.search(r"\n  lr_sweep +Which learning rates", out)
    assert max(map(len, out.splitlines())) <= 118


def test_help_lists_the_options_of_a_folder_of_the_user(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "my_net.yaml").write_text("_target_: my_package.Net\n")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text("study:\n  question: Is it better?\n")
    assert run(["--help", "--config-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mlp*" in out and "  my_net" in out
    assert "Is it better?" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name, capsys):
    assert run([name, "--help"]) == 0
    assert f"usage: python -m hpsearch {name}" in capsys.readouterr().out


def test_configuration_is_printed_as_yaml_that_shows_the_overrides(capsys):
    import yaml

    assert run(["--cfg", "job", "optimizer.lr=0.05", "model=softmax"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["optimizer"]["lr"] == 0.05
    assert config["model"]["_target_"].startswith("hpsearch.models.linear.")


def test_space_is_printed_as_yaml(capsys):
    import yaml

    assert run(["--cfg", "space", "+study=lr_sweep"]) == 0
    assert list(yaml.safe_load(capsys.readouterr().out)) == ["optimizer.lr"]


def program(*words, cwd=None, **kwargs):
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "hpsearch", *words], capture_output=True, text=True, cwd=cwd, env=environ, check=False
    )


def test_program_prints_its_version(tmp_path):
    done = program("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, "hpsearch")
    assert done.stdout.split()[1][0].isdigit()


def test_program_exits_with_2_on_bad_input_and_leaves_nothing_behind(tmp_path):
    done = program("nonsense", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_reader_that_leaves_early_is_no_error(tmp_path):
    command = f"{sys.executable} -m hpsearch --help | true; exit ${{PIPESTATUS[0]}}"
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environ, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("entry", ["module", "console script"])
def test_working_folder_is_last_on_the_import_path(tmp_path, entry):
    spy = "import sys, hpsearch.cli; hpsearch.cli.run = lambda words: print(sys.path[-1]) or 0; "
    start = {
        "module": "import runpy; sys.argv = ['x']; runpy.run_module('hpsearch', run_name='__main__')",
        "console script": "sys.path = sys.path[1:]; from hpsearch.__main__ import main; sys.exit(main())",
    }[entry]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", spy + start], capture_output=True, text=True, cwd=tmp_path, env=environ, check=False
    )
    assert Path(done.stdout.strip() or ".").resolve() == tmp_path.resolve(), done.stderr


def test_the_doctor_answers_in_lines_or_for_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"hpsearch doctor: {tmp_path}"
    (tmp_path / "mlflow.db").write_text("no database")
    assert run(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["exit_code"] == 1
    assert run(["doctor", "nothing"]) == 2 and run(["list", "--repair"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "hpsearch: --repair belongs to `python -m hpsearch doctor`"
