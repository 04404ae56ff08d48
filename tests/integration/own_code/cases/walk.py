"""A noisy search downhill that draws from a generator of its own, and prints how far it is."""

import argparse
import random
import time

parser = argparse.ArgumentParser()
parser.add_argument("--step", type=float)
parser.add_argument("--keep", type=float)
parser.add_argument("--seed", type=int)
args = parser.parse_args()
generator = random.Random(args.seed)
place, best = [1.0] * 8, 8.0
for epoch in range(1, 13):
    for _ in range(100):
        tried = [x * args.keep + generator.gauss(0, args.step) for x in place]
        if (height := sum(x * x for x in tried)) < best:
            place, best = tried, height
    print(f"epoch {epoch} loss {best!r}")
    time.sleep(0.1)
