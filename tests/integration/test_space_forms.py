"""The same words in a study's file, on the command line and from Python are the same points; the rest is one line."""

import pytest
import yaml

from hpsearch import load_trials, run_search
from hpsearch.base.errors import SpaceError
from hpsearch.cli import run
from hpsearch.config.compose import compose
from hpsearch.study.plan import plan_search

TRAIN = """
def train(a=None, b=None, c=None, h=None):
    yield {"valid/acc": 1.0}
"""
FORMS = {
    "an order": {"a": "range(1, 6)", "a>=4": {"b": "choice(x, y)"}, "a < 2": {"c": "choice(1, 2)"}},
    "an order on an interval": {"a": "interval(0, 1)", "a>0.5/b": "choice(1, 2)"},
    "an order on whole numbers": {"a": "int(interval(1, 4))", "a<=2/b": "choice(x, y)", "a!=3/c": "choice(7, 8)"},
    "a list of options": {"a": "choice(x, y, z)", "a in [x, z]": {"b": "choice(1, 2)", "b=2/c": "choice(3, 4)"}},
    "elements of a list": {"h[0]": "choice(8, 16)", "h[1]": "choice(4, 2)", "h[0]=8/b": "choice(1, 2)"},
    "constraints": {"a": "range(1, 9)", "b": "choice(1, 2, 3)", "where": ["a % b == 0", "a * b in [2, 4, 6, 12]"]},
    "a conditional constraint": {"a": "range(1, 5)", "b": "choice(x, y)", "b=x": {"where": ["a > 2"]}},
    "zipped keys": {"a": "zip(64, 128, 256)", "b": "zip(2, 4, 8)", "c": "choice(x, y)"},
}
OPTIONS = ["sampler=grid", "sampler.points=3", "tracker=none", "pruner=none", "study.name=forms"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a function to search."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forms_project.py").write_text(TRAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


BASE = ["trainer=own", "trainer._target_=forms_project.train", "plugins=[forms_project]"]


def prefixed(name):
    """Return a name of the table as it is called among the keys of the configuration."""
    return name if name == "where" else "/".join(f"args.{part}" for part in name.split("/"))


def constraints(value):
    return [text.replace("a", "args.a").replace("b", "args.b") for text in value]


def as_yaml(table):
    return {
        prefixed(name): as_yaml(value) if isinstance(value, dict) else constraints(value) if name == "where" else value
        for name, value in table.items()
    }


def as_words(table, conditions=""):
    for name, value in table.items():
        *above, key = prefixed(name).split("/")
        if isinstance(value, dict):
            yield from as_words(value, f"{conditions}[{prefixed(name)}]")
            continue
        text = f"[{', '.join(constraints(value))}]" if name == "where" else value
        yield f"space{conditions}{''.join(f'[{each}]' for each in above)}.{key}={text}"


def cells(composition):
    search = plan_search(composition)
    return [search.space.active(cell) for cell in search.sampler.cells(search.space)], search.space.to_dict()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_points_in_yaml_shell_and_python(form, project):
    table = FORMS[form]
    (project / "my_conf" / "study").mkdir(parents=True)
    study = {"defaults": ["search", "_self_"], "space": as_yaml(table)}
    text = "# @package _global_\n" + yaml.safe_dump(study, sort_keys=False)
    (project / "my_conf" / "study" / "forms.yaml").write_text(text)
    in_yaml, space = cells(compose(["+study=forms", *BASE, *OPTIONS], [project / "my_conf"]))
    in_shell, other = cells(compose(["+study=search", *BASE, *OPTIONS, *as_words(table)]))
    assert in_yaml == in_shell and space == other and len(in_yaml) > 2

    from forms_project import train

    run_search(
        train, space=table, sampler="grid", pruner="none", tracker="none", name="forms", overrides=["sampler.points=3"]
    )
    trials = load_trials("forms").sort_values("point")
    assert len(trials) == len(in_yaml)
    for row, point in zip(trials.to_dict("records"), in_yaml, strict=True):
        assert {key: row[key] for key in point} == point


NOTHING = [
    (["space.args.a=choice(1, 2)", "space.where=[args.a > 2]"], "leaves nothing to search"),
    (
        ["space[args.b=1].args.a=choice(1)", "space[args.a=1].args.b=choice(1)"],
        "its conditions go round in a circle: args.a -> args.b -> args.a",
    ),
    (["space[args.c>=1].args.a=choice(1, 2)"], "args.c is neither a group nor a searched key"),
    (["space.args.a=choice(1, 2)", "space.where=[args.z > 2]"], "args.z is neither searched nor a key"),
    (["space.args.a=choice(1, 2)", "space.where=[args.a >]"], "it does not parse"),
    (["space.args.a=zip(1, 2)"], "nothing to zip it with"),
    (["+args.h=[1, 2]", "space.args.h[2]=choice(1, 2)"], "args.h = [1,2] has no such element"),
    (["space[optimizer>=3].args.a=choice(1)"], "the options of optimizer have no order"),
    (["nuisance.where=[args.a > 2]", "space.args.a=choice(1)"], "is said by space.where"),
]


@pytest.mark.parametrize(("words", "message"), NOTHING, ids=[message for _, message in NOTHING])
def test_what_makes_no_sense_is_one_line_and_exit_code_2(words, message, project, capsys):
    before = sorted(project.rglob("*"))
    assert run(["+study=search", *BASE, *OPTIONS, *words]) == 2
    printed = capsys.readouterr().err.strip()
    assert message in printed and "\n" not in printed
    assert sorted(path for path in project.rglob("*") if "__pycache__" not in path.parts) == before


def test_keys_that_are_not_searched_have_their_values_in_constraints(project):
    words = ["+study=search", *BASE, *OPTIONS, "space.args.a=choice(1, 2, 3, 4)", "args.b=2"]
    points, space = cells(compose([*words, "space.where=[args.a % args.b == 0, args.b == 2, seed == 0]"]))
    assert [point["args.a"] for point in points] == [2, 4]
    assert space["where"] == "[args.a % 2 == 0]"
    with pytest.raises(SpaceError, match=r"args.b > 2: leaves nothing to search with args.b = 2"):
        compose([*words, "space.where=args.b > 2"])


def test_a_branch_that_the_values_left_never_take_is_left_out(project):
    (project / "my_conf" / "study").mkdir(parents=True)
    study = {"defaults": ["search", "_self_"], "space": as_yaml({"a": "range(1, 9)", "a>=5": {"b": "choice(1, 2)"}})}
    (project / "my_conf" / "study" / "forms.yaml").write_text("# @package _global_\n" + yaml.safe_dump(study))
    words = ["+study=forms", *BASE, *OPTIONS]
    folders = [project / "my_conf"]
    assert list(compose([*words, "space.args.a=choice(1, 2)"], folders).space) == ["args.a"]
    assert list(compose([*words, "args.a=7"], folders).space) == ["args.b"]
    with pytest.raises(SpaceError, match="is empty"):
        plan_search(compose([*words, "args.a=3"], folders))


def test_a_branch_that_hangs_on_another_that_is_left_out_is_left_out_too(project):
    (project / "my_conf" / "study").mkdir(parents=True)
    space = {
        "optimizer.lr": "choice(0.1, 0.2)",
        "model=lenet": {"model.kernel_size": "choice(3, 5)"},
        "model.kernel_size>=5": {"optimizer.momentum": "choice(0, 0.9)"},
    }
    text = yaml.safe_dump({"defaults": ["search"], "space": space}, sort_keys=False)
    (project / "my_conf" / "study" / "deep.yaml").write_text("# @package _global_\n" + text)
    folders = [project / "my_conf"]
    assert list(compose(["+study=deep", "model=mlp"], folders).space) == ["optimizer.lr"]
    lenet = compose(["+study=deep", "model=lenet"], folders).space
    assert list(lenet) == ["optimizer.lr", "model.kernel_size", "model.kernel_size>=5/optimizer.momentum"]


def test_the_forms_of_the_page_are_read_from_a_file_as_they_stand_there(project):
    (project / "my_conf" / "study").mkdir(parents=True)
    (project / "my_conf" / "study" / "page.yaml").write_text(
        """# @package _global_
defaults: [search, _self_]
space:
  args.a: choice(1, 2, 4)
  args.b: range(2, 9, 2)
  args.a >= 2:
    args.c: choice(x, y)
  args.a in [1, 4]:
    args.h[0]: choice(16, 64)
  where: [args.b % args.a == 0, args.b != 6]
"""
    )
    made = compose(["+study=page", *BASE, *OPTIONS], [project / "my_conf"])
    points, space = cells(made)
    assert list(space) == [
        *("args.a", "args.b", "args.a>=2/args.c", "args.a in [1,4]/args.h[0]", "where"),
    ]
    assert len(points) == 3 * 2 + 3 * 2 + 2 * 2 * 2
    assert made.trial(points[-1], seed=0).config["args"]["h"] == [64]
