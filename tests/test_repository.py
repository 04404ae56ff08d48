"""What stands around the package: workflows, scripts and forms say what the documents promise of them."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def jobs(name):
    return yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))["jobs"]


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_ci_runs_what_a_machine_runs_on_every_python():
    job = jobs("ci.yml")["run"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert commands(job) == [".ci/run"]


def test_the_launchers_run_on_windows_and_macos():
    job = jobs("ci.yml")["launchers"]
    assert job["strategy"]["matrix"]["system"] == ["windows-latest", "macos-latest"]
    assert any("launcher=inline" in command for command in commands(job))
    assert any("launcher.workers=2" in command for command in commands(job))


def test_what_is_long_runs_at_night():
    assert any(command.endswith("-m long") for command in commands(jobs("nightly.yml")["long"]))


@pytest.mark.parametrize("name", ["run", "package", "floors"])
def test_scripts_of_ci_are_shell_that_can_be_run(name):
    script = ROOT / ".ci" / name
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_a_problem_is_asked_for_its_command_and_study():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "problem.yml").read_text(encoding="utf-8"))
    required = {field["id"] for field in form["body"] if field.get("validations", {}).get("required")}
    assert {"command", "study"} <= required


def test_every_dependency_has_a_floor():
    assert all(">=" in dependency for dependency in PROJECT["dependencies"])
    assert "torch>=2.11,<3" in PROJECT["dependencies"]


def test_links_of_the_project_lead_to_documents():
    for address in PROJECT["urls"].values():
        _, branch, path = address.partition("/blob/main/")
        assert not branch or (ROOT / path).exists()


def test_the_readme_holds_the_command_that_ci_extracts():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.partition("<!-- test command -->")[2].partition("<!-- end -->")[0]
    (command,) = [line for line in block.splitlines() if line.startswith("python3")]
    install, _, tests = command.rpartition(" && ")
    assert install.endswith("'.[test]'") and tests.endswith("-m 'not long'")


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_nothing_large_is_committed():
    assert not [path.name for path in tracked() if path.is_file() and path.stat().st_size > 512 * 1024]


def test_no_module_is_longer_than_a_reader_can_hold():
    long = {path.name: lines for path in tracked("hpsearch/*.py") if (lines := path.read_text().count("\n")) > 400}
    assert not long
