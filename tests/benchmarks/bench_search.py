"""Epochs until a search has trained one of the ten best rows of a table of learning curves to its end.

``python -m tests.benchmarks.bench_search [FOLDER] [--families NAME ...] [--repeats 100] [--only STRATEGY ...]
[--width 1]``

A table is a ``*.json[.gz]`` list of ``{"config": {key: number}, "valid_loss": [point 0, 1, ...]}``; null: diverged. Of
one with ``valid_acc``, as `lenet_table` trains it, the curves are shares of errors, and looked for are the rows within
one standard error of the best: ``error + sqrt(error (1 - error) / 6000)``, of so many validation images. A proposed
point is the row nearest to it in normalized log coordinates. Point 0 is free, each later one costs an epoch, a trial
that goes on pays for its new points alone, and two points that are one row both pay. The samplers, pruners and what
they are told are those of a study; the loop is the driver's with one slot, without its files and processes
(tests/benchmarks/test_bench_search.py compares the two). A family (search_families.py) is another table for every seed.
"""

import argparse
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from omegaconf import OmegaConf
from optuna.trial import TrialState as OptunaState
from scipy.spatial import cKDTree

from hpsearch.base.types import BestPoint, Decision, Objective, Report, TrialState
from hpsearch.config.build import build
from hpsearch.config.groups import CONF
from hpsearch.config.limits import target_part
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.pruners import PruneRule
from hpsearch.search.results import Results
from hpsearch.search.space import Space
from hpsearch.search.storage import MemoryStore, open_study
from tests.benchmarks.search_families import FAMILIES, WANTED

METRIC = "valid/loss"
OBJECTIVE = Objective(METRIC, "minimize")
CAP = 5000
TOP = 10
EARLIER = {"taskset_patch128_LSTM128_bs64": 262, "taskset_patch32_LSTM128_bs128": 113}
ENDED = object()
HARD = ("middle", "late")
ERRORS = "lenet_fashion"
IMAGES = 6000
"""In the validation part of a table with accuracies."""
STRATEGIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "random": ("random", "none", {}),
    "keep 10 of 100": ("random", "top_k_after", {"epochs": 1, "k": 10, "of": 100}),
    "ASHA": ("random", "successive_halving", {}),
    "median": ("random", "median", {}),
    "TPE": ("tpe", "none", {}),
    "auto": ("auto", "auto", {}),
}


class Table:
    """Learning curves by row.

    Args:
        name: of the table.
        rows: as in the file.
    """

    def __init__(self, name: str, rows: Sequence[dict[str, Any]], wanted: int = TOP) -> None:
        self.name = name
        self.keys = list(rows[0]["config"])
        logs = np.log([[row["config"][key] for key in self.keys] for row in rows])
        self._low, self._span = logs.min(0), np.maximum(np.ptp(logs, axis=0), 1e-12)
        self._tree = cKDTree((logs - self._low) / self._span)
        self.curves = [[math.nan if v is None else float(v) for v in row["valid_loss"]] for row in rows]
        self.epochs = len(self.curves[0]) - 1
        last = [curve[-1] if math.isfinite(curve[-1]) else math.inf for curve in self.curves]
        self.top = set(np.argsort(last, kind="stable")[:wanted].tolist())
        ends = zip(self.keys, np.exp(self._low).tolist(), np.exp(self._low + self._span).tolist(), strict=True)
        self.space = Space.parse({key: f"tag(log, interval({low!r}, {high!r}))" for key, low, high in ends})

    def row(self, params: dict[str, float]) -> int:
        """Return the row that a point is."""
        place = (np.log([params[key] for key in self.keys]) - self._low) / self._span
        return int(self._tree.query(place)[1])


@cache
def read(path: Path) -> Table:
    """Read a table."""
    data = path.read_bytes()
    rows = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    name = path.name.split(".")[0]
    return of_errors(name, rows) if "valid_acc" in rows[0] else Table(name, rows)


def of_errors(name: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Return a table of shares of errors, whose top rows are those within one standard error of the best."""
    errors = [[None if share is None else 1 - share for share in row["valid_acc"]] for row in rows]
    table = Table(name, [row | {"valid_loss": curve} for row, curve in zip(rows, errors, strict=True)])
    best = min(curve[-1] for curve in table.curves if math.isfinite(curve[-1]))
    limit = best + math.sqrt(best * (1 - best) / IMAGES)
    table.top = {row for row, curve in enumerate(table.curves) if curve[-1] <= limit}
    return table


def generated(seed: int, rows: int = 200, keys: int = 4, epochs: int = 20) -> list[dict[str, Any]]:
    """Return a small table: a bowl in the logarithms, curves that cross, one row in twenty diverging."""
    rng = np.random.default_rng(seed)
    x = rng.random((rows, keys))
    final = 0.2 + ((x - rng.uniform(0.3, 0.7, keys)) ** 2).sum(1)
    rate = rng.uniform(0.05, 0.5, rows)
    curves = final[:, None] + (2 - final[:, None]) * np.exp(-rate[:, None] * np.arange(epochs + 1))
    table = []
    for place, curve in zip(x, curves, strict=True):
        end = int(rng.integers(1, epochs)) if rng.random() < 0.05 else epochs + 1
        values = [float(v) if epoch < end else None for epoch, v in enumerate(curve)]
        table.append({"config": {f"k{i}": float(10 ** (4 * v - 4)) for i, v in enumerate(place)}, "valid_loss": values})
    return table


class Replay:
    """One search of a table.

    Args:
        table: what is searched.
        strategy: name of one.
        seed: of the sampler.
        cap: stops after so many epochs.
        width: trials that train at once, an epoch each in turn; a slot that is free is filled at once.
    """

    def __init__(self, table: Table, strategy: str, seed: int, cap: int = CAP, width: int = 1) -> None:
        self.table, self.cap, self.width = table, cap, width
        sampler, pruner = parts(strategy, table.epochs, seed)
        self.study = open_study(MemoryStore().open(Path()), "s", pruner, OBJECTIVE)
        self.study.sampler = UniqueSampler(sampler, table.space, seed)
        self._rule = PruneRule(pruner, OBJECTIVE)
        self._results = Results(OBJECTIVE)
        self._open: dict[int, tuple[optuna.Trial, int]] = {}
        self.spent: list[tuple[int, int]] = []
        self.reached: int | None = None

    def run(self) -> int | None:
        """Return the epochs until a top row is trained to its end; None: not within the cap."""
        running: list[Iterator[None]] = []
        while self.reached is None and len(self.spent) < self.cap:
            while len(running) < self.width:
                number = self._rule.promote(asking=True)
                number = self._asked() if number is None else number
                self._rule.note_state(number, TrialState.RUNNING)
                running.append(self._train(number))
            running = [trial for trial in running if next(trial, ENDED) is not ENDED]
        return self.reached

    def _asked(self) -> int:
        trial = self.study.ask(self.table.space.distributions())
        self._rule.opened(trial.number, epochs=self.table.epochs)
        self._open[trial.number] = (trial, 0)
        return trial.number

    def _train(self, number: int) -> Iterator[None]:
        """Train to the end or a pause; yield where others train an epoch."""
        trial, done = self._open[number]
        row = self.table.row(trial.params)
        curve = self.table.curves[row]
        for epoch in range(done + 1, self.table.epochs + 1):
            self.spent.append((number, epoch))
            if len(self.spent) > self.cap:
                return
            if not math.isfinite(curve[epoch]):
                self._end(trial, TrialState.INFEASIBLE, self._results.penalties(curve[0])[0])
                return
            decision = self._rule.after_report(trial, Report(epoch, epoch, {METRIC: curve[epoch]}))
            if epoch == self.table.epochs:
                break
            if decision is Decision.CONTINUE:
                yield
            if decision is Decision.STOP:
                self._end(trial, TrialState.PRUNED, None)
                return
            if decision is Decision.PAUSE:
                self._rule.note_state(number, TrialState.PAUSED)
                self._open[number] = (trial, epoch)
                return
        self._results.add_point(BestPoint(number, trial.params, curve[-1], math.nan, 1), [curve[-1]], number + 1)
        self._end(trial, TrialState.COMPLETE, curve[-1])
        if row in self.table.top and self.reached is None:
            self.reached = len(self.spent)

    def _end(self, trial: optuna.Trial, state: TrialState, value: float | None) -> None:
        del self._open[trial.number]
        self._rule.note_state(trial.number, state)
        trial.set_constraint("infeasible", 1.0 if state is TrialState.INFEASIBLE else -1.0)
        self.study.tell(trial, value, state=OptunaState.PRUNED if value is None else None)


def parts(strategy: str, epochs: int, seed: int) -> tuple[Any, Any]:
    """Return a strategy's sampler and pruner, built from their options."""
    sampler, pruner, options = STRATEGIES[strategy]
    return built("sampler", sampler, epochs, {}, seed=seed), built("pruner", pruner, epochs, options)


def built(group: str, name: str, epochs: int, options: dict[str, Any], **late: Any) -> Any:
    """Return a sampler or a pruner, built from its option."""
    config = OmegaConf.create({"trainer": {"epochs": epochs}, group: OmegaConf.load(CONF / group / f"{name}.yaml")})
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return build(group, target_part(group, plain[group]) | options, (), **late)


@dataclass(frozen=True)
class Figure:
    """What a strategy needed on a table: median and 90th percentile of the epochs, share of runs not reached."""

    table: str
    strategy: str
    median: float
    p90: float
    missed: float
    repeats: int


def figure(table: str, strategy: str, runs: Sequence[int | None]) -> Figure:
    """Summarize runs; one that did not reach the top counts as infinite."""
    epochs = [math.inf if run is None else float(run) for run in runs]
    median, p90 = (float(np.quantile(epochs, q, method="higher")) for q in (0.5, 0.9))
    return Figure(table, strategy, median, p90, runs.count(None) / len(runs), len(runs))


def _one(job: tuple[Path | str, str, int, int]) -> int | None:
    import warnings

    warnings.simplefilter("ignore")
    source, strategy, seed, width = job
    table = read(source) if isinstance(source, Path) else drawn(source, seed)
    return Replay(table, strategy, seed, width=width).run()


def drawn(family: str, seed: int) -> Table:
    """Return a table of a generated family; every seed draws its own."""
    return Table(family, FAMILIES[family](np.random.default_rng(seed)), WANTED.get(family, TOP))


def verdicts(figures: Sequence[Figure]) -> list[tuple[str, bool]]:
    """Return every requirement on `auto` and whether it is met; what was not reached in time counts as the cap."""
    of = {(f.table, f.strategy): f for f in figures}
    lines: list[tuple[str, bool]] = []
    for name in dict.fromkeys(f.table for f in figures):
        found = {strategy: f for (table, strategy), f in of.items() if table == name}
        if "auto" in found:
            lines += (_on_family if name in FAMILIES else _on_errors if name == ERRORS else _on_table)(name, found)
    return [(f"{name}: {what}", met) for name, what, met in lines]


def _capped(epochs: float) -> float:
    return min(epochs, CAP)


def _on_table(name: str, found: Mapping[str, Figure]) -> list[tuple[str, str, bool]]:
    auto, median, p90 = found["auto"], _capped(found["auto"].median), _capped(found["auto"].p90)
    lines = [(name, f"auto missed {auto.missed:.0%} <= 2 %", auto.missed <= 0.02)]
    if (limit := EARLIER.get(name)) is not None:
        lines.append((name, f"auto {median:g} <= 1.1 x {limit}, its median without a hedge", median <= 1.1 * limit))
    if "GRU" in name and "keep 10 of 100" in found:
        share = median / _capped(found["keep 10 of 100"].median)
        lines.append((name, f"auto / keep 10 of 100 = {share:.2f} <= .5", share <= 0.5))
    if asha := found.get("ASHA"):
        shares = median / _capped(asha.median), p90 / _capped(asha.p90)
        lines.append((name, "auto / ASHA = {:.2f}, 90th percentile {:.2f} <= 1.1".format(*shares), max(shares) <= 1.1))
    return lines


def _on_errors(name: str, found: Mapping[str, Figure]) -> list[tuple[str, str, bool]]:
    share = _capped(found["auto"].median) / _capped(found["ASHA"].median)
    return [(name, f"auto / ASHA = {share:.2f} <= .7", share <= 0.7)]


def _on_family(name: str, found: Mapping[str, Figure]) -> list[tuple[str, str, bool]]:
    auto, random = found["auto"], found["random"]
    if name in HARD:
        few = auto.missed <= random.missed + 0.05
        share = _capped(auto.median) / _capped(random.median)
        return [
            (name, f"auto missed {auto.missed:.0%} <= {random.missed:.0%} of random + 5", few),
            (name, f"auto / random = {share:.2f} <= 2", share <= 2),
        ]
    others = [random, found["ASHA"]]
    missed, median = min(f.missed for f in others), min(_capped(f.median) for f in others)
    return [
        (name, f"auto missed {auto.missed:.0%} <= 1.1 x {missed:.0%} of the better", auto.missed <= 1.1 * missed),
        (
            name,
            f"auto {_capped(auto.median):g} <= 1.1 x {median:g} of the better",
            _capped(auto.median) <= 1.1 * median,
        ),
    ]


def markdown(figures: Sequence[Figure]) -> str:
    """Return the figures, and the verdicts where what they compare was run."""
    text = "| table | strategy | median | 90th percentile | not reached |\n|---|---|---|---|---|\n"
    text += "".join(f"| {f.table} | {f.strategy} | {f.median:g} | {f.p90:g} | {f.missed:.0%} |\n" for f in figures)
    if {f.strategy for f in figures} >= {"auto", "random", "ASHA"}:
        text += "\n" + "".join(f"- {'met' if met else 'NOT MET'}: {what}\n" for what, met in verdicts(figures))
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of tables")
    parser.add_argument("--families", nargs="*", choices=list(FAMILIES), default=[])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed")
    parser.add_argument("--width", type=int, default=1, help="trials at once")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=list(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    found = sorted(asked.folder.iterdir()) if asked.folder else []
    sources = [*(path for path in found if path.name.endswith((".json", ".json.gz"))), *asked.families]
    figures, seeds = [], range(asked.first, asked.first + asked.repeats)
    with ProcessPoolExecutor(asked.workers) as pool:
        for source in sources:
            for name in asked.only:
                runs = list(pool.map(_one, [(source, name, seed, asked.width) for seed in seeds], chunksize=5))
                figures.append(figure(source if isinstance(source, str) else source.name.split(".")[0], name, runs))
                print(figures[-1], flush=True)
    print(markdown(figures))
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "bench_search.md").write_text(markdown(figures))
        (asked.out / "bench_search.json").write_text(json.dumps([asdict(f) for f in figures], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
