"""Runs the notebooks, each in an empty folder.

    python -m tests.support.notebooks [NAME ...] [--into FOLDER] [--short]

Without ``--into`` they are written again where they are, outputs included.
``--short`` trains fewer epochs, in the kernel itself.
"""

import argparse
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
SECONDS = 600
EPOCHS = '"trainer.epochs=10"'
FEWER = '"trainer.epochs=2", "launcher=inline"'


def names():
    """The notebooks by name, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def executed(name, short=False):
    """Return a notebook as it comes out of an empty folder; raises where a cell fails."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    if short:
        assert any(EPOCHS in cell.source for cell in notebook.cells), f"{name} has no {EPOCHS} to shorten"
        for cell in notebook.cells:
            cell.source = cell.source.replace(EPOCHS, FEWER)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = "ignore:IProgress not found"  # a progress bar that nobody sees
    threads = {"OMP_NUM_THREADS": "1"}  # two wait for each other, on a machine that is busy for most of the time
    environment = os.environ | threads | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": quiet}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=names())
    parser.add_argument("--into", type=Path, default=FOLDER)
    parser.add_argument("--short", action="store_true")
    asked = parser.parse_args()
    if asked.short and asked.into == FOLDER:
        parser.error("--short needs --into: a notebook is committed as a whole run leaves it")
    for name in asked.names:
        nbformat.write(executed(name, asked.short), asked.into / f"{name}.ipynb")
        print(name, flush=True)


if __name__ == "__main__":
    main()
