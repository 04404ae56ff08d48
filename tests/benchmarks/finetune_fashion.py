"""Is starting from weights that were trained on other classes better than starting from scratch?

LeNet is trained on the Fashion-MNIST classes 0 to 4, then on 500 images of the classes 5 to 9 in every mode of
fine-tuning and from scratch, three seeds each; the numbers are accuracies on the 5,000 test images of those classes.
About three minutes on two idle cores::

    python -m tests.benchmarks.finetune_fashion [--seeds 3] [WORD ...]
"""

import argparse
import contextlib
import statistics
import tempfile
from collections.abc import Sequence

import torch

from hpsearch import run_trial

FRESH = ("finetune.fresh_head=true",)
MODES = {
    "none": (),
    "predict": (),
    "head": FRESH,
    "last_k": (*FRESH, "finetune.rate_factor=0.3"),
    "all": (*FRESH, "finetune.rate_factor=0.3"),
}
COMMON = (
    "data=fashion_mnist",
    "model=lenet",
    "optimizer=momentum",
    "optimizer.lr=0.02",
    "trainer.test=true",
    "tracker=none",
    "launcher=inline",
)
PRETRAIN = ("data.classes=[0,1,2,3,4]", "trainer.epochs=2")
TUNE = ("data.classes=[5,6,7,8,9]", "data.train_size=500", "data.batch_size=50", "trainer.epochs=20")


def accuracies(seed: int, words: Sequence[str]) -> dict[str, float]:
    """Return the test accuracy of every mode, all from one pretrained network."""
    source = run_trial([*COMMON, *PRETRAIN, f"seed={seed}", *words]).run
    found = {}
    for mode in MODES:
        tuning = (f"finetune={mode}", f"finetune.source={source}", *MODES[mode])
        outcome = run_trial([*COMMON, *TUNE, f"seed={seed}", *tuning, *words])
        found[mode] = outcome.metrics["test/acc"]
        print(f"seed {seed}  {mode:8} {found[mode]:.4f}", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every accuracy; 1 unless starting from all the weights is better with every seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("words", nargs="*", metavar="WORD", help="further Hydra overrides of every trial")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)  # other work on the machine then slows it down no more than its share
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        by_seed = [accuracies(seed, asked.words) for seed in range(asked.seeds)]
    for mode in MODES:
        values = [found[mode] for found in by_seed]
        shown = ", ".join(f"{value:.4f}" for value in values)
        print(f"{mode:8} {statistics.mean(values):.4f}  sd {statistics.stdev(values):.4f}  n {len(values)}: {shown}")
    gains = [found["all"] - found["none"] for found in by_seed]
    print(f"all - none: {statistics.mean(gains):+.4f}, sd {statistics.stdev(gains):.4f}")
    return int(statistics.mean(gains) <= 0 or min(gains) <= 0)


if __name__ == "__main__":
    raise SystemExit(main())
