"""Digests of the code that trains a trial: what changes them, what does not, and what belongs to it."""

import functools
import importlib
import sys
import textwrap

import pytest
import torch

from hpsearch.config.code import Code, CodeReader

FILES = {
    "own/__init__.py": "",
    "own/train.py": """
        import json
        import numpy as np
        from own.parts import layer
        from . import rates

        def train(lr):
            from own.late import late
            yield {"valid/acc": layer(lr) + late(lr) + rates.RATE}
    """,
    "own/parts/__init__.py": "from own.parts.layers import layer",
    "own/parts/layers.py": "def layer(x):\n    return x + 1\n",
    "own/rates.py": "RATE = 0.1",
    "own/late.py": "from helper_of_own import late",
    "own/unused.py": "X = 1",
    "helper_of_own.py": "late = abs",
}
USED = {"own", "own.train", "own.parts", "own.parts.layers", "own.rates", "own.late", "helper_of_own"}
CONFIG = {"trainer": {"_target_": "own.train.train", "lr": 0.1}, "model": {"_target_": "torch.nn.Linear"}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in FILES.items():
        write(tmp_path, name, text)
    return tmp_path


def write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))
    import importlib

    importlib.invalidate_caches()


def code(config=CONFIG):
    return CodeReader().of(config)


def test_it_is_what_is_imported_of_ones_own_project_and_nothing_is_run(project):
    write(project, "own/parts/layers.py", "raise RuntimeError('was run')")
    assert set(code().modules) == USED
    assert not USED & sys.modules.keys()
    assert code({"model": {"_target_": "torch.nn.Linear"}}) == Code() and Code().digest == ""


@pytest.mark.parametrize("name", [*sorted(USED - {"own", "own.parts"}), "own/__init__"])
def test_a_change_of_any_of_them_is_one_and_is_named(project, name):
    before = code()
    file = project / f"{name.replace('.', '/')}.py"
    file.write_text(f"{file.read_text()}\nNEW = 1\n")
    assert code().digest != before.digest
    assert code().differences(before.modules) == [name.removesuffix("/__init__")]


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\ndef layer( x ):\n\n    return (x + 1)  # one more\n",
        'def layer(x):\n    """Say what it does."""\n    return x + 1\n',
        "def layer(x):\n    return x + 1\n\nif __name__ == '__main__':\n    import own.unused\n    print(layer(2))\n",
    ],
)
def test_comments_docstrings_layout_and_the_main_block_are_no_change(project, text):
    before = code()
    write(project, "own/parts/layers.py", text)
    write(project, "own/unused.py", "X = 2")
    assert code() == before


@pytest.mark.parametrize("text", ["def layer(x):\n    return x + 1.0\n", "def layer(x, y=1):\n    return x + 1\n"])
def test_a_constant_of_another_type_and_an_argument_are_a_change(project, text):
    before = code()
    write(project, "own/parts/layers.py", text)
    assert code().digest != before.digest


def test_modules_that_are_named_by_functions_that_import_or_are_no_python_belong_to_it(project):
    write(project, "own/late.py", "from importlib import import_module\nlate = import_module('own.unused').X\n")
    assert "own.unused" in code().modules
    write(project, "own/late.py", "def late(:")
    assert "own.late" in code().modules and "helper_of_own" not in code().modules


def test_installed_packages_the_standard_library_and_ours_are_not_of_the_project(project):
    write(project, "site-packages/installed.py", "import own.unused")
    write(project, "own/rates.py", "import installed, json, hpsearch.base.rng, numpy.random\nRATE = 1")
    sys.path.insert(0, str(project / "site-packages"))
    try:
        assert set(code().modules) == USED
    finally:
        sys.path.pop(0)


def test_targets_anywhere_in_a_configuration_count(project):
    nested = {"data": {"_target_": "hpsearch.data.X", "parts": [{"_target_": "own.rates.Rates"}]}, "trainer": {}}
    assert set(code(nested).modules) == {"own", "own.rates"}


def test_the_order_in_which_a_configuration_names_things_is_no_change(project):
    one, other = {"_target_": "own.rates.A"}, {"_target_": "helper_of_own.B"}
    assert code({"a": one, "b": other}).digest == code({"a": other, "b": one}).digest


SCRIPT = """
    import math
    import own.rates
    from own.parts.layers import layer
    BATCH = 8
    POINTS = 60
    calls = 0
    seen = []

    class Net:
        width = 4
        def forward(self, x):
            return layer(x) * helper(x)

    def helper(x):
        global calls
        calls += 1
        seen.append(x)
        return math.sin(x)

    def objective(lr):
        import helper_of_own
        net = Net()
        yield {"valid/acc": net.forward(lr) * BATCH + own.rates.RATE}

    def other(x):
        return POINTS
"""


def given(text, name="objective", monkeypatch=None, file="<script>"):
    """The code of a function of a script, as it would be after the script ran; of a file its source is known."""
    namespace = {"__name__": "__main__"}
    exec(compile(textwrap.dedent(text), str(file), "exec"), namespace)
    module = type(sys)("hpsearch_given")
    module.objective = namespace[name] if isinstance(name, str) else name(namespace)
    monkeypatch.setitem(sys.modules, "hpsearch_given", module)
    return CodeReader().of({"trainer": {"_target_": "hpsearch_given.objective"}})


def test_a_function_of_a_script_is_its_own_code_and_what_it_uses(project, monkeypatch):
    found = given(SCRIPT, monkeypatch=monkeypatch)
    ours = {"objective", "helper", "Net.forward", "Net.width", "BATCH"}
    assert set(found.modules) == ours | {"own", "own.rates", "own.parts", "own.parts.layers", "helper_of_own"}


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("math.sin", "math.cos", ["helper"]),
        ("width = 4", "width = 5", ["Net.width"]),
        ("BATCH = 8", "BATCH = 9", ["BATCH"]),
        ("layer(x) *", "layer(x) +", ["Net.forward"]),
        ("net = Net()", "net = Net(); net.width = 3", ["objective"]),
        ("POINTS = 60", "POINTS = 90", []),
        ("calls = 0", "calls = 9", []),
        ("return POINTS", "return 3", []),
        ("seen = []", "seen = [3]", []),
    ],
)
def test_what_a_function_of_a_script_uses_changes_it_and_nothing_else(project, monkeypatch, old, new, names):
    before = given(SCRIPT, monkeypatch=monkeypatch)
    assert given(SCRIPT.replace(old, new), monkeypatch=monkeypatch).differences(before.modules) == names


@pytest.mark.parametrize(
    "made",
    [
        lambda names: functools.partial(names["objective"], lr=0.1),
        lambda names: names["Net"]().forward,
        lambda names: (lambda inner: lambda lr: inner(lr))(names["objective"]),
        lambda names: torch.no_grad()(names["objective"]),
    ],
)
def test_callable_objects_have_code_too(project, monkeypatch, made):
    before = given(SCRIPT, made, monkeypatch)
    assert given(SCRIPT.replace("math.sin", "math.cos"), made, monkeypatch).digest != before.digest
    assert given(SCRIPT, made, monkeypatch) == before


def test_the_source_of_a_function_is_what_counts_where_it_is_known(project, monkeypatch):
    laid_out = SCRIPT.replace("    def helper", "\n\n    # a comment\n    def helper").replace(
        "        global calls", '        """Say what it does."""\n        global calls'
    )
    digests = []
    for place, text in enumerate((SCRIPT, laid_out, SCRIPT.replace("math.sin", "math.cos"))):
        file = project / f"script{place}.py"
        file.write_text(textwrap.dedent(text))
        digests.append(given(text, monkeypatch=monkeypatch, file=file).digest)
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] != given(SCRIPT, monkeypatch=monkeypatch).digest, "its source was not found"


def test_a_decorator_of_a_library_is_no_code_of_ones_own(project, monkeypatch):
    plain = given(SCRIPT, monkeypatch=monkeypatch)
    decorated = given(SCRIPT, lambda names: torch.no_grad()(names["objective"]), monkeypatch)
    assert decorated == plain


def program(*command, file=None):
    trainer = {"_target_": "hpsearch.trial.command.run", "command": [*command], "file": file}
    return CodeReader().of({"trainer": trainer})


def test_the_files_that_a_command_names_are_its_code_python_with_what_it_imports(project):
    write(project, "src/main.py", "import json, numpy, net.layers\nif __name__ == '__main__':\n    run()")
    write(project, "src/net/__init__.py", "")
    write(project, "src/net/layers.py", "from . import shapes\nimport own.rates")
    write(project, "src/net/shapes.py", "SIDE = 3")
    write(project, "prepare.sh", "echo")
    write(project, "settings.yaml", "lr: 1")
    found = program(sys.executable, "src/main.py", "prepare.sh", "{folder}/x", "no_file", 3, file="settings.yaml")
    of_python = {"src/main.py", "src/net/__init__.py", "src/net/layers.py", "src/net/shapes.py"}
    assert set(found.modules) == of_python | {"prepare.sh", "settings.yaml", "own", "own.rates"}
    assert CodeReader().at(found.targets) == found


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("main.py", "import beside\nif __name__ == '__main__':\n    run(2)", ["main.py"]),
        ("main.py", "# a comment\nimport beside\nif __name__ == '__main__': run()", []),
        ("beside.py", "y = 3", ["beside.py"]),
        ("run.sh", "echo 2", ["run.sh"]),
    ],
)
def test_a_change_of_a_program_is_named(project, file, text, names):
    write(project, "main.py", "import beside\nif __name__ == '__main__':\n    run()")
    write(project, "beside.py", "y = 2")
    write(project, "run.sh", "echo 1")
    before = program("python", "main.py", "run.sh")
    write(project, file, text)
    assert program("python", "main.py", "run.sh").differences(before.modules) == names


def test_a_program_of_the_folder_and_a_module_are_code_and_an_interpreter_is_none(project):
    write(project, "run.sh", "echo 1")
    assert set(program("./run.sh").modules) == {"run.sh"}
    assert set(program("python", "-m", "own.rates").modules) == {"own", "own.rates"}
    assert program(sys.executable, "-c", "pass").modules == {}


def test_code_in_folders_without_init_is_known_before_it_is_loaded_and_after(project):
    write(project, "loose/deep/deeper/train.py", "from loose.deep.rates import RATE\n\ndef train():\n    return RATE")
    write(project, "loose/deep/rates.py", "RATE = 0.1")
    before = CodeReader().at(["loose.deep.deeper.train.train"])
    assert set(before.modules) == {"loose.deep.deeper.train", "loose.deep.rates"}
    importlib.import_module("loose.deep.deeper.train")
    assert CodeReader().at(["loose.deep.deeper.train.train"]).digest == before.digest
