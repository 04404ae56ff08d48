"""Does a plain MLP reach the accuracy it is known to reach?

784-256-10 with ReLU on Fashion-MNIST, gradient descent with rate 0.1, batches of 256, 10 epochs, three seeds: the mean
test accuracy lies within .015 of .85. A wrong model, loss, split or loop lies outside. About a minute on one core::

    python -m tests.benchmarks.check_fashion_mlp [--seeds 3] [WORD ...]
"""

import argparse
import statistics
from collections.abc import Sequence

from tests.benchmarks.one_trial import trained

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the accuracies; 1 when their mean lies outside."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("words", nargs="*", metavar="WORD", help="further Hydra overrides")
    asked = parser.parse_args(arguments)
    runs = [trained([*OVERRIDES, *asked.words], {}, seed) for seed in range(asked.seeds)]
    accuracies = [0.0 if run is None else run["test/acc"] for run in runs]
    mean, sd = statistics.mean(accuracies), statistics.stdev(accuracies)
    each = ", ".join(f"{value:.4f}" for value in accuracies)
    print(f"test accuracy {mean:.4f}, sd {sd:.4f}, n {len(accuracies)}: {each}")
    return int(abs(mean - 0.85) > 0.015)


if __name__ == "__main__":
    raise SystemExit(main())
