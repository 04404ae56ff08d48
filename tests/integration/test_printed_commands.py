"""What is printed to be copied runs as it stands, in a project with code and configuration of its own."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from hpsearch import load_trials, replay, run_search, run_study, run_trial
from hpsearch.base.commands import command, own_words
from hpsearch.base.errors import ConfigError
from hpsearch.cli import run
from hpsearch.tracking.events import check_command, read_study, replay_command
from tests.support import fake_study as fake

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("tracker=none", "launcher=inline", "data=my_rings", "model=my_net")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the user's project, as the working folder."""
    folder = tmp_path / "my project"
    shutil.copytree(ROOT / "tests" / "user_project", folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_pkg"]:
        del sys.modules[name]


def in_a_shell(line, code=0):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        line, shell=True, env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": path, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == code, (line, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_words_that_name_what_is_ones_own_are_kept_in_order():
    words = ["--config-dir", "/a b", "--config-dir=c", "model=mine", "plugins=[mine]", "seed=1"]
    assert own_words(["--path", "/a", "x=1"]) == ("--path", "/a")
    assert own_words(words) == ("--config-dir", "/a b", "--config-dir=c", "plugins=[mine]")
    assert command("replay", "s/0/0", *own_words(words)) == (
        "python -m hpsearch replay s/0/0 --config-dir '/a b' --config-dir=c 'plugins=[mine]'"
    )


def test_a_function_of_a_script_has_a_call_in_place_of_every_command():
    given = replace(fake.spec(Path("s"), 3), config={"trainer": {"_target_": "hpsearch_given.objective"}})
    for line in (replay_command("s", given), check_command("s", given)):
        assert line == "# from Python: hpsearch.replay('s/3/0', objective)"


def test_a_search_of_ones_own_model_and_data_is_checked_and_trained_again(project):
    words = ["+study=my_net_sweep", "study.name=mine", "study.seeds=1", "trainer.epochs=1", *QUICK]
    outcome = run_study(words, config_dirs=["my_conf"])
    assert "the same curve" in in_a_shell(outcome.check_command)
    assert list(load_trials("mine")["command"])[outcome.best.point] == outcome.replay_command
    assert outcome.replay_command in (project / "studies" / "mine" / "README.md").read_text()
    assert "complete" in in_a_shell(f"{outcome.replay_command} tracker=none launcher=inline")
    with pytest.raises(ConfigError, match=r"test_printed_commands\.in_a_shell: mine/0/0 was trained by no"):
        replay("mine/0/0", in_a_shell)


def test_a_single_trial_of_a_package_that_no_folder_names_is_checked(project):
    (project / "my_conf" / "plugins.yaml").unlink()
    outcome = run_trial(["plugins=[my_pkg]", "trainer.epochs=1", *QUICK], config_dirs=["my_conf"])
    assert "the same curve" in in_a_shell(outcome.check_command.replace("python -m hpsearch", "hpsearch", 1))
    assert "plugins=" in outcome.replay_command and "--config-dir" in outcome.replay_command


@pytest.mark.long
@pytest.mark.slow
def test_the_arms_of_an_ablation_are_trained_again(project):
    words = [
        "study.name=widths",
        "data.test_fraction=0.2",
        "trainer.epochs=1",
        "stage=[arms]",
        "ablation.nuisance=held",
        "ablation.target=null",
        "~nuisance",
        "~space",
        "space.model.width=choice(4, 8)",
        *QUICK,
    ]
    run_study(["+study=momentum", "study.seeds=1", *words], config_dirs=["my_conf"])
    assert "complete" in in_a_shell(f"{load_trials('widths').command[0]} tracker=none launcher=inline")
    assert "widths" in in_a_shell(read_study(project / "studies" / "widths")["command"])


@pytest.mark.long
def test_a_function_of_a_package_is_checked_from_a_shell_and_from_python(project):
    from my_pkg.train import train

    given = {"epochs": 2, "features": 10, "batch": 30}
    outcome = run_search(train, space={"lr": [0.1, 0.5]}, arguments=given, sampler="grid", tracker="none")
    assert "the same curve" in in_a_shell(outcome.check_command)
    assert replay("train/1/0", train).same
    assert "2 complete" in in_a_shell(read_study(outcome.folder)["command"])


SCRIPT = """
from hpsearch import run_search
from my_losses import train

if __name__ == "__main__":
    words = ["launcher.workers=1", "study.confirm=0"]
    done = run_search(train, space={"x": [1, 2]}, sampler="grid", tracker="none", overrides=words)
    print(done.check_command)
"""


def test_a_function_of_a_script_is_trained_again_from_a_module(project):
    def train(x):
        yield {"valid/acc": 1.0 / x}

    run_search(train, space={"x": [1, 2]}, sampler="grid", tracker="none", overrides=QUICK[1:2])
    (project / "my_copy.py").write_text("def train(x):\n    yield {'valid/acc': 1.0 / x}\n")
    again = replay("train/1/0", import_module("my_copy").train, overrides=QUICK[:2])
    said = "trained by my_copy.train, and by train before: whether its code changed is not known"
    assert again.same and len(again.again) == 1 and again.changed == said
    (project / "my_other.py").write_text("def train(x):\n    yield {'valid/acc': 2.0 / x}\n")
    assert not replay("train/1/0", import_module("my_other").train, overrides=QUICK[:2]).same


@pytest.mark.long
def test_a_package_beside_a_script_is_found_by_the_printed_command(project):
    (project / "scripts").mkdir()
    (project / "scripts" / "my_losses.py").write_text("def train(x):\n    yield {'valid/acc': 1 / x}\n")
    (project / "scripts" / "tune.py").write_text(SCRIPT)
    lines = in_a_shell(f"{sys.executable} scripts/tune.py").splitlines()
    (printed,) = [line for line in lines if line.startswith("python -m hpsearch")]
    assert f"--path '{project / 'scripts'}'" in printed
    assert "the same curve" in in_a_shell(printed)
    assert "2 complete" in in_a_shell(read_study(project / "studies" / "train")["command"])


def test_a_folder_to_look_in_that_is_none_is_refused(project, capsys):
    assert run(["list", "--path", "nowhere"]) == 2
    assert "--path nowhere: no such folder" in capsys.readouterr().err


def test_a_function_of_a_script_says_how_to_go_on_from_python(project):
    def objective(x):
        yield {"valid/acc": 1.0 / x}

    outcome = run_search(objective, space={"x": [1, 2]}, sampler="grid", tracker="none")
    assert (
        outcome.check_command == outcome.replay_command == "# from Python: hpsearch.replay('objective/0/0', objective)"
    )
    assert replay("objective/0/0", objective).same
    page = (outcome.folder / "README.md").read_text()
    assert outcome.replay_command in page and "hpsearch.run_search(objective, ...)" in page
    assert set(load_trials("objective").command.str.partition(":")[0]) == {"# from Python"}
    said = in_a_shell("python -m hpsearch replay objective/0/0", code=2)
    assert "a function of a script or a notebook" in said and "hpsearch.replay(RUN, objective)" in said
    with pytest.raises(ConfigError, match=r"hpsearch\.replay\(RUN, objective\)"):
        replay("objective/0/0")
    del sys.modules["hpsearch_given"]
    with pytest.raises(ConfigError, match=r"hpsearch\.replay\(RUN, objective\)"):
        replay("objective/0/0", overrides=["plugins=[hpsearch_given]"])
