"""Makes the study that later versions must be able to read: small, killed while its third trial runs.

``python -m tests.golden.freeze_study FOLDER`` writes a new one. The one that is kept in `frozen_1` is of format 1 and
stays as it is: a later format gets a folder of its own beside it.
"""

import json
import os
import platform
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpsearch import Silent, load_curves, load_trials, run_study
from hpsearch.base.formats import FORMAT

NAME = "frozen"
WORDS = (
    *("+study=lr_sweep", f"study.name={NAME}", "study.seeds=1", "study.confirm=0", "tracker=none", "launcher=inline"),
    *("space.optimizer.lr=choice(0.03, 0.1, 0.3)", "model.hidden=[2]", "data.train_size=60", "data.batch_size=20"),
    *("trainer.epochs=3", "trainer.checkpoint_sec=0", "trainer.device=cpu"),
)
EXPECTED = f"expected_{FORMAT}.json"
LEFT_OUT = ("lock", "owner.json", "report.html", "*.svg", "*.new", "*.tmp")


class KilledInTheThird(Silent):
    """Kills its own process when the third trial has reported its second epoch, and kept the first."""

    def update(self, progress: Any) -> None:
        """Look at the trial that runs."""
        if any(each.id.point == 2 and each.epoch >= 2 for each in progress.running):
            os.kill(os.getpid(), signal.SIGKILL)


def expected() -> dict[str, Any]:
    """Return what is read of the study in the working folder."""
    trials, curves = load_trials(NAME), load_curves(NAME)
    columns = ["point", "seed", "fold", "state", "attempts", "score", "optimizer.lr"]
    return {
        "trials": json.loads(trials[columns].to_json(orient="records")),
        "curves": json.loads(curves[["point", "epoch", "valid/loss", "train/loss"]].to_json(orient="records")),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study until it is killed, and copy what it left.

    Args:
        argv: the folder to write.

    Returns:
        0.
    """
    (target,) = map(Path, sys.argv[1:] if argv is None else argv)
    target = target.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        socket.gethostname = platform.node = lambda: "elsewhere"  # which machine it was is nobody's business
        if not (child := os.fork()):
            run_study(WORDS, observer=KilledInTheThird())
            os._exit(1)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        shutil.copytree(Path("studies") / NAME, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (target / EXPECTED).write_text(json.dumps(expected(), indent=1))
        os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
