"""What `trainer.deterministic=true` costs: the same trial with and without it, side by side, in turns.

``python -m tests.benchmarks.bench_deterministic --out tests/benchmarks/bench_deterministic.md`` on a processor, where
processor time is compared; ``--device cuda`` on a GPU, where the time of training between evaluations is, and with
``--models resnet18`` and ``-- data=cifar10`` a network whose convolutions have faster kernels without an order of sums.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hpsearch.base.types import Report, TrialId, TrialSpec
from hpsearch.config.compose import compose
from hpsearch.trial.build import execute
from tests.support.jobs import drive

MODELS = {
    "mlp": ("model=mlp", "model.hidden=[64]"),
    "lenet": ("model=lenet", "model.kernel_size=3"),
    "small_conv": ("model=small_conv",),
    "lstm": ("model=lstm",),
    "resnet18": ("model=resnet18",),
}


def seconds(words: Sequence[str], deterministic: bool, device: str) -> float:
    """Train a trial; return processor seconds, on a GPU the seconds of its epochs without the first."""
    words = (*words, f"trainer.deterministic={str(deterministic).lower()}", f"trainer.device={device}")
    config = compose(words).trial({}, 0, 0).config
    with tempfile.TemporaryDirectory() as folder:
        run = execute((TrialSpec("bench", TrialId(0, 0), config, {}, (), "key", folder),))
        started = time.process_time()
        messages, _ = drive(run)
        spent = time.process_time() - started
    reports = [message for message in messages if isinstance(message, Report) and message.epoch > 1]
    return spent if device == "cpu" else sum(report.metrics["epoch_sec"] for report in reports)


def ratios(words: Sequence[str], pairs: int, device: str) -> list[float]:
    """Return the time with over the time without it, of pairs whose order alternates; the first pair is not counted."""
    found = []
    for pair in range(pairs + 1):
        spent = {each: seconds(words, each, device) for each in ((True, False) if pair % 2 else (False, True))}
        found.append(spent[True] / spent[False])
    return found[1:]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the ratio for each model.

    Args:
        argv: words of the command line.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=[*MODELS], default=["mlp", "lenet"])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("words", nargs="*", default=[], help="more words of the trials, behind --")
    given = parser.parse_args(argv)
    lines = ["| model | with over without it, median | least | largest | pairs |", "|---|---|---|---|---|"]
    for name in given.models:
        found = ratios(("data=digits", "trainer.epochs=6", *MODELS[name], *given.words), given.pairs, given.device)
        middle = statistics.median(found)
        lines.append(f"| {name} | {middle:.3f} | {min(found):.3f} | {max(found):.3f} | {len(found)} |")
        print(lines[-1], flush=True)
    text = "\n".join([*lines, ""])
    if given.out:
        how = f"--models {' '.join(given.models)} --pairs {given.pairs} --device {given.device}"
        command = f"python -m tests.benchmarks.bench_deterministic {how}"
        given.out.write_text(f"# What trainer.deterministic=true costs\n\n`{command}`\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
