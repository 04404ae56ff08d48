"""The commands of a page, and a shell that runs them as they stand, but for addresses and secrets."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "hpsearch" / "pages" / "scaling.md"
SMALL = "trainer.epochs=1 study.seeds=1 study.confirm=0 sampler.points=3"
MARK = "HPSEARCH_OF_A_PAGE"

_SHIMS = {
    "python": """case "$*" in
*" run "*) set -- "$1" "$2" run budget.points=2 sampler=random pruner=none tracker=none "${@:4}";;
*+cluster=*) set -- "$@" ${WORDS/tracker=none/} study.name=page$$;;  # which names a tracker of its own
*+study=lr_sweep*) set -- "$@" $WORDS study.name=page$$;;
esac
exec "$PYTHON" "$@" """,
    "pip": 'echo "$@" >> installed.txt',
    "ray": 'exec "$PYTHON" -m ray.scripts.scripts "$@"',
    "mlflow": 'exec "$PYTHON" -m mlflow "$@"',
    "torchrun": 'exec "$PYTHON" -m torch.distributed.run "$@"',
}
"""What the words of a page mean here: every study is a small one, of a name of its own; nothing is installed."""


def blocks() -> dict[str, list[str]]:
    """Return the blocks of commands of the page, by section."""
    sections = PAGE.read_text().split("\n## ")[1:]
    found = {each.partition("\n")[0]: re.findall(r"```sh\n(.*?)```", each, re.DOTALL) for each in sections}
    return {section: texts for section, texts in found.items() if texts}


def lines(section: str) -> list[str]:
    """Return the commands of a section, each in one line."""
    text = "".join(blocks()[section]).replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def extras() -> set[str]:
    """Return the extras that may be installed."""
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


class Shell:
    """Runs commands in a folder.

    Args:
        folder: where they are typed.
        words: that every study gets.
        **variables: of its environment.
    """

    def __init__(self, folder: Path, words: str = f"{SMALL} tracker=none launcher.workers=1", **variables: str) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name, text in _SHIMS.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        ours = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable, "WORDS": words}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.environment = {**os.environ, **ours, "PYTHONPATH": path, MARK: str(folder), **variables}

    def start(self, text: str) -> "subprocess.Popen[bytes]":
        """Type commands; what they say is in `said`."""
        with (self.folder / "said.txt").open("ab") as out:
            return subprocess.Popen(
                ["bash", "-euc", text],
                **{"cwd": self.folder, "env": self.environment, "stdin": subprocess.DEVNULL},
                **{"stdout": out, "stderr": subprocess.STDOUT, "start_new_session": True},
            )

    def run(self, text: str, within_sec: float = 280) -> str:
        """Type commands, and return what they said when each has ended well."""
        code = self.start(text).wait(within_sec)
        assert code == 0, self.said
        return self.said

    @property
    def said(self) -> str:
        """Everything that was said."""
        return (self.folder / "said.txt").read_text()

    def end(self) -> None:
        """Kill what still runs of what was started, wherever it went."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder):
                    process.kill()
            except psutil.Error:
                continue
