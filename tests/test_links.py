"""Every link of a document leads somewhere: to a file of the repository, and to a heading that is there."""

import importlib
import re
import signal
import subprocess
from functools import cache
from pathlib import Path

import pytest

from hpsearch.base import platform

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = ("README.md", "hpsearch", "conf", "studies", "tests", "notebooks", ".github", ".ci")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
README_LIMIT = 9_000


def documents():
    found = [ROOT / "README.md"]
    for folder in WRITTEN[1:]:
        found += (ROOT / folder).rglob("*.md")
    return sorted(path for path in found if not re.search(r"/studies/(?!diagnosis|lr_range|fashion|README)", str(path)))


def text_of(path):
    """A document without its code, where brackets mean something else."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", lambda code: "x" * len(code.group()), text)


def links(path):
    return LINK.findall(text_of(path))


@cache
def headings(path):
    """The anchors that GitHub makes of a document's headings."""
    lines = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_what_is_there(path):
    for link in links(path):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(ROOT), f"{link}: outside the repository"
        if anchor:
            assert anchor in headings(target), f"{link}: no such heading"


def test_what_documents_show_is_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    followed = set(listed.stdout.splitlines())
    for path in documents():
        for link in links(path):
            target = (path.parent / link.partition("#")[0]).resolve()
            if not link.startswith("http") and target.is_file():
                assert str(target.relative_to(ROOT)) in followed, f"{path.name}: {link} is not committed"


def test_every_page_is_reached_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        path = left.pop()
        reached.add(path)
        for link in links(path):
            target = (path.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                left.append(target)
    unreached = [path for path in documents() if path not in reached and path.name != "pull_request_template.md"]
    assert not unreached


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8")) <= README_LIMIT


def test_tables_of_options_are_complete():
    text = (ROOT / "conf" / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| (.*) \|$", text, re.M))
    options = {
        folder.name: {path.stem for path in folder.glob("*.yaml")}
        for folder in (ROOT / "conf").iterdir()
        if folder.is_dir()
    }
    assert {group: set(re.findall(r"`(\w+)`", names)) for group, names in rows.items()} == options


WALKED = re.findall(r"`(hpsearch[\w.]*):([\w.]+)`", (ROOT / "hpsearch" / "README.md").read_text(encoding="utf-8"))


@pytest.fixture
def handlers():
    """The signal handlers are afterwards what they were: the module of the command line takes them over."""
    before = {number: signal.getsignal(number) for number in platform.stop_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("module", "name"), WALKED, ids=[":".join(each) for each in WALKED])
def test_functions_of_the_walks_are_there(module, name):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found) and len(WALKED) > 30
