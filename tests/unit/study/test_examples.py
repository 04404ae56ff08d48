"""The examples of the public names run as they stand, one after the other in one folder."""

import contextlib
import doctest

import pytest

import hpsearch

ORDER = (
    "Objective",
    "run_study",
    "load_trials",
    "load_curves",
    "draw",
    "print_report",
    "export_tables",
    "compare",
    "run_search",
    "open_search",
    "run_trial",
    "continue_trial",
    "replay",
    "curvature",
    "Silent",
    "report",
)
"""Later ones read what earlier ones left."""
WITHIN = {"Decision", "Stop", "checkpoint", "folder", "log", "params"}
"""What a trial says and asks beside its reports, in the example of `hpsearch.report`."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with contextlib.chdir(tmp_path_factory.mktemp("examples")):
        yield


def test_every_public_name_has_an_example():
    assert {*ORDER, *WITHIN} == set(hpsearch.__all__)


@pytest.mark.parametrize("name", ORDER)
def test_the_example_gives_what_it_says(folder, name, capsys):
    function = getattr(hpsearch, name)
    names = {public: getattr(hpsearch, public) for public in hpsearch.__all__}
    (found,) = doctest.DocTestFinder(recurse=False).find(function, name, globs=names | {"__name__": "__main__"})
    assert found.examples, f"{name} has no example"
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found)
    assert not result.failed, capsys.readouterr().out
