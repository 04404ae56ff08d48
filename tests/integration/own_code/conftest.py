"""What the tests of users' own code share."""

import shutil
import sysconfig
from pathlib import Path

import pytest

from hpsearch.terminal import hydra_sweeper as module


@pytest.fixture(scope="session")
def hydra_path(tmp_path_factory):
    """A folder for the import path of applications, with Hydra's sweeper of hpsearch where it is not installed."""
    folder = tmp_path_factory.mktemp("path")
    if not list(Path(sysconfig.get_path("purelib")).glob("hydra_plugins/hpsearch_sweeper.py")):
        (folder / "hydra_plugins").mkdir()
        shutil.copy(module.__file__, folder / "hydra_plugins" / "hpsearch_sweeper.py")
    return str(folder)


@pytest.fixture
def hydra_sweeper(hydra_path, monkeypatch):
    """Let applications find Hydra's sweeper of hpsearch, where an older installation lacks it too."""
    monkeypatch.setenv("PYTHONPATH", hydra_path, prepend=":")
