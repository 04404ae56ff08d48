"""What the tests of users' own code share."""

import shutil
import sysconfig
from pathlib import Path

import pytest

from hpsearch.terminal import hydra_sweeper as module


@pytest.fixture
def hydra_sweeper(tmp_path, monkeypatch):
    """Let applications find Hydra's sweeper of hpsearch, where an older installation lacks it too."""
    if not list(Path(sysconfig.get_path("purelib")).glob("hydra_plugins/hpsearch_sweeper.py")):
        plugins = tmp_path / "path" / "hydra_plugins"
        plugins.mkdir(parents=True)
        shutil.copy(module.__file__, plugins / "hpsearch_sweeper.py")
        monkeypatch.setenv("PYTHONPATH", str(plugins.parent), prepend=":")
