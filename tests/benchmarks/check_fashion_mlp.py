"""Does a plain MLP reach the accuracy it is known to reach?

784-256-10 with ReLU on Fashion-MNIST, gradient descent with rate 0.1, batches of 256, 10 epochs, three seeds: the mean
test accuracy lies within .015 of .85. A wrong model, loss, split or loop lies outside. About a minute on one core::

    python -m tests.benchmarks.check_fashion_mlp
"""

import statistics
import tempfile

from hpsearch.base.types import Decision, Report, TrialId, TrialSpec
from hpsearch.config.compose import compose
from hpsearch.trial.build import execute

SEEDS = range(3)
OVERRIDES = (
    "data=fashion_mnist",
    "data.batch_size=256",
    "model=mlp",
    "model.hidden=[256]",
    "optimizer=sgd",
    "optimizer.lr=0.1",
    "trainer.epochs=10",
    "trainer.test=true",
)


def accuracy(seed: int) -> float:
    """Train one seed and return its test accuracy."""
    filled = compose(OVERRIDES).trial({}, seed, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = execute((TrialSpec("check", TrialId(0, seed), filled.config, {}, filled.overrides, filled.key, folder),))
        (message,) = next(run)
        try:
            while True:
                (message,) = run.send((Decision.CONTINUE,))
        except StopIteration:
            assert isinstance(message, Report)
            return message.metrics["test/acc"]


if __name__ == "__main__":
    found = [accuracy(seed) for seed in SEEDS]
    mean, spread = statistics.mean(found), statistics.stdev(found)
    print(f"test accuracy {mean:.4f}, sd {spread:.4f}, n {len(found)}: {', '.join(f'{value:.4f}' for value in found)}")
    raise SystemExit(abs(mean - 0.85) > 0.015)
