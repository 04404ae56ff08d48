"""Are trials that are trained as one program as good as each alone, in float32?

LeNet on Fashion-MNIST, ten seeds, as one program and one by one: the mean validation accuracies differ by less than two
standard errors of the difference, unpaired. The weights of the digits network after 20 steps, at rates that train,
differ by at most 1e-6 of their norm. Later ones drift apart, as rounding grows where training is not smooth::

    python -m tests.benchmarks.check_fused [--seeds 10] [WORD ...]
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from hpsearch.trial.job import Job
from tests.support.fused import Trained, alone, distance, make, together

LENET = (
    *("data=fashion_mnist", "data.train_size=10000", "data.batch_size=64", "model=lenet"),
    *("optimizer=momentum", "optimizer.lr=0.02", "trainer.epochs=3"),
)
DIGITS = ("data=digits", "data.train_size=640", "data.batch_size=32", "model=mlp", "trainer.epochs=1", "optimizer=sgd")
"""Twenty steps."""
RATES = (0.003, 0.01, 0.03, 0.1)
TOLERANCE, ERRORS = 1e-6, 2.0


def jobs(words: Sequence[str], each: Sequence[Sequence[str]], seeds: Sequence[int], folder: Path) -> list[Job]:
    """Build trials in float32."""
    trials = enumerate(zip(each, seeds, strict=True))
    return [make((*words, *more), folder / str(k), seed, double=False) for k, (more, seed) in trials]


def accuracies(trained: Sequence[Trained]) -> list[float]:
    """Return the last validation accuracies."""
    return [trial.reports[-1].metrics["valid/acc"] for trial in trained]


def means_agree(words: Sequence[str], seeds: int, folder: Path) -> bool:
    """Print both means and their difference in standard errors, and return whether it is small."""
    each = [()] * seeds
    fused = accuracies(together(jobs([*LENET, *words], each, range(seeds), folder / "fused")))
    plain = accuracies([alone(job) for job in jobs([*LENET, *words], each, range(seeds), folder / "plain")])
    for name, values in (("fused", fused), ("plain", plain)):
        print(f"{name}: mean {statistics.mean(values):.5f}, sd {statistics.stdev(values):.5f}, n {len(values)}")
    difference = statistics.mean(fused) - statistics.mean(plain)
    error = math.sqrt((statistics.variance(fused) + statistics.variance(plain)) / seeds)
    same = sum(one == other for one, other in zip(fused, plain, strict=True))
    errors = difference / error if error else math.copysign(math.inf, difference) if difference else 0.0
    print(f"difference {difference:.5f}, {errors:.2f} standard errors; {same} of {seeds} are the same")
    return abs(errors) < ERRORS


def weights_agree(folder: Path) -> bool:
    """Print how far weights drift apart in 20 steps, by rate, and return whether all is rounding."""
    each = [(f"optimizer.lr={rate}",) for rate in RATES]
    fused = together(jobs(DIGITS, each, [0] * len(RATES), folder / "fused_digits"))
    plain = [alone(job) for job in jobs(DIGITS, each, [0] * len(RATES), folder / "plain_digits")]
    drifts = [max(distance(a.weights[n], b.weights[n]) for n in b.weights) for a, b in zip(fused, plain, strict=True)]
    for rate, drift in zip(RATES, drifts, strict=True):
        print(f"digits, 20 steps at {rate:g}: {drift:.1e}")
    return max(drifts) <= TOLERANCE


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both comparisons; 1 where one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("words", nargs="*", metavar="WORD", help="options of the LeNet: trainer.epochs=1")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        agree = [weights_agree(Path(folder)), means_agree(asked.words, asked.seeds, Path(folder))]
    return int(not all(agree))


if __name__ == "__main__":
    raise SystemExit(main())
