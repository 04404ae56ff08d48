"""The folder of what can be made again, on every system."""

from pathlib import Path

import pytest

from hpsearch.base import platform
from hpsearch.base.cache import cache_folder


@pytest.mark.parametrize(
    ("system", "name", "value", "folder"),
    [
        ("LINUX", "XDG_CACHE_HOME", "/data/cache", "/data/cache"),
        ("LINUX", "XDG_CACHE_HOME", "relative", "HOME/.cache"),
        ("LINUX", "LOCALAPPDATA", "/elsewhere", "HOME/.cache"),
        ("MACOS", "XDG_CACHE_HOME", "/data/cache", "HOME/Library/Caches"),
        ("WINDOWS", "LOCALAPPDATA", "/app/data", "/app/data"),
        ("WINDOWS", "XDG_CACHE_HOME", "/data/cache", "HOME/AppData/Local"),
    ],
)
def test_what_can_be_made_again_has_a_folder(monkeypatch, tmp_path, system, name, value, folder):
    for each in ("LINUX", "MACOS", "WINDOWS"):
        monkeypatch.setattr(platform, each, each == system)
    for each in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder.replace("HOME", str(tmp_path)))


def test_without_a_home_there_is_no_such_folder(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert cache_folder() is None
