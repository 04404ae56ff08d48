"""The page on one's own code: every example of it runs as it stands, in the order of the page, with fewer points.

So do the examples of functions elsewhere, and that of Python in the repository's README.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import hpsearch
from hpsearch import load_curves, load_trials, open_search, run_search, run_study
from hpsearch.cli import run
from hpsearch.study.script import script
from hpsearch.tracking.query import table_from_events

ROOM = Path(hpsearch.__file__).parent
PAGE, SEARCHING, README = ROOM / "pages" / "own_code.md", ROOM / "pages" / "searching.md", ROOM.parent / "README.md"
BLOCK = re.compile(r"```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
FILE = re.compile(r"(?:# @package \S+\n)?# (?P<path>[\w/.]+\.(?:py|yaml|sh))\n")
SMALL = {"tracker": "none", "points": 3, "sampler": "random"}
QUICK = ["launcher=inline", "tracker=none"]


def python_blocks(page):
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [each["text"] for each in found if each["language"] == "python"]


BLOCKS = [(found["language"], found["text"]) for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]
BLOCKS += [("python", text) for text in python_blocks(SEARCHING)]
FILES = {found["path"]: text for _, text in BLOCKS if (found := FILE.match(text))}
SHELL = [text.replace("\\\n", " ") for language, text in BLOCKS if language == "sh"]
TRAINS = {
    "function.py": ["objective"],
    "experiment.py": ["run", "wide", "main"],
    "generator.py": ["train"],
    "checkpoints.py": ["saving"],
    "pictures.py": ["pictures"],
    "outside.py": ["mine"],
    "optuna_objective.py": ["branches"],
    "lightning_module.py": ["lightning"],
    "trainer.py": ["trainer"],
    "any.py": ["fit"],
    "programs.py": ["descent"],
}
"""The studies of each script."""
SLOW = TRAINS.keys() - {"function.py", "generator.py", "pictures.py", "outside.py", "programs.py"}
PROGRAMS = {"classify.py", "descent.sh", "settings.yaml", "from_settings.py"}
"""What trials of programs are made of."""


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory):
    """A folder with all files of the page, as the working folder and on the import path; searches are small in it."""
    folder = tmp_path_factory.mktemp("page")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        searched = lambda *args, **given: run_search(*args, **given | SMALL, overrides=QUICK[:1])  # noqa: E731
        patch.setattr(hpsearch, "run_search", searched, raising=False)
        patch.setattr(hpsearch, "open_search", lambda **given: open_search(**given | SMALL), raising=False)
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("digits", "my_pkg")]:
        del sys.modules[name]


def execute(path):
    exec(compile(FILES[path], path, "exec"), {"__name__": "__main__"})


def test_every_block_is_executed_here():
    assert [text for language, text in BLOCKS if language != "sh" and not FILE.match(text)] == []
    assert {path for path in FILES if "/" not in path} == {"digits.py", "train.py", "rates.py", *TRAINS, *PROGRAMS}
    assert len(FILES) == sum(language != "sh" for language, _ in BLOCKS)


@pytest.mark.filterwarnings("ignore")  # of Lightning and transformers
@pytest.mark.parametrize("path", [pytest.param(path, marks=[pytest.mark.long] * (path in SLOW)) for path in TRAINS])
def test_a_script_searches(path, project):
    execute(path)
    for name in TRAINS[path]:
        trials = load_trials(name)
        assert trials["point"].nunique() == 3 and set(trials["state"]) <= {"COMPLETE", "PRUNED"}
        assert trials["score"].max() > 0.1
    media = [each for found in table_from_events(project / "studies" / name).media.values() for each in found]
    assert {each.name for each in media} == ({"weights", "moments"} if path == "pictures.py" else set())


def test_the_readme_shows_a_study_from_python(monkeypatch, capsys):
    (block,) = python_blocks(README)
    small = [*QUICK, "study.name=lr_sweep", "study.seeds=1", "sampler.points=3", "trainer.epochs=1"]
    monkeypatch.setattr(hpsearch, "run_study", lambda words: run_study([*words, *small]), raising=False)
    exec(compile(block, README.name, "exec"), {})
    assert capsys.readouterr().out.startswith("A learning rate of ") and len(load_trials("lr_sweep")) == 3


def test_a_script_run_by_itself_is_a_trial(project, monkeypatch):
    compose = sys.modules["hpsearch.study.script"].compose
    monkeypatch.setattr("hpsearch.study.script.compose", lambda words: compose([*words, "tracker=none"]))
    execute("train.py")
    script().end()
    assert load_curves("single")["epoch"].tolist() == [1, 2, 3, 4, 5]
    (model,) = project.glob("studies/single/trials/*/model.pt")
    assert model.stat().st_size


@pytest.mark.parametrize("block", SHELL)
def test_a_command_runs(block, project, capfd):
    subprocess.run(["sh", "-n"], input=block, text=True, check=True)
    for line in block.splitlines():
        if not line.startswith("python -m hpsearch "):
            continue
        words = shlex.split(line, comments=True)[3:]
        if words[0] == "run":
            words[words.index("--points") + 1] = "1"
            words = [
                "run",
                *QUICK,
                "study.confirm=0",
                *(sys.executable if word == "python" else word for word in words[1:]),
            ]
            assert run(words) == 0, capfd.readouterr().err
            continue
        first = words[0] in ("ask", "tell")
        small = ["budget.points=3"] if "+study=search" in words else []
        assert run(words + ([] if first else QUICK + small)) == 0, capfd.readouterr().err


@pytest.mark.long
def test_the_hydra_application_is_searched(hydra_sweeper):
    (command,) = [line for block in SHELL for line in block.splitlines() if line.startswith("python rates.py -m")]
    words = 'hydra.sweeper.overrides=["tracker=none","launcher=inline"]'
    small = ["hydra.sweeper.points=1", words, "hydra.sweeper.name=application"]
    words = [sys.executable, *shlex.split(command)[1:], *small]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert load_trials("application")["state"].tolist() == ["COMPLETE"]
