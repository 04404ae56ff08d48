"""What one driver keeps up with: the real driver, record, journal and sender, and simulated workers by the thousand.

    python -m tests.benchmarks.bench_scale [--table FILE] [--workers 10 100 1000 10000] [--case auto tpe]
        [--points 2000] [--every 30] [--warm 60] [--window 120] [--before FOLDER] [--out FILE]

Every worker replays a row of a table of learning curves, a report every 30 s or so (its own rate within 30 % of that).
The clock is virtual: it moves on by the processor time that the driver's process spends (the sender's and the screen's
too, as if they took turns on one core), by `--disk-ms` for every wait for the disk, and by waiting for the next worker.
A sender that has moved to a process of its own is charged by itself: ``sender apart`` is the share of its core.
Measured is a window after a warm-up; the profile says which part of the program spent the driver's time.

Cases, each in a study that has 2,000 points: ``auto``, `sampler=auto` with `pruner=auto`, which trained the points
before too; ``tpe``, `sampler=tpe` without a pruner, every worker met in the middle of a trial whose point was drawn;
``random``, the same without a model.

Not simulated: what reads the pipes or sockets of workers (a thread for each worker process), training, checkpoints.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpsearch.base.memory import survivors_set_aside
from tests.benchmarks.simulated_study import (
    CASES,
    NAME,
    Copying,
    Screen,
    Setting,
    compose_case,
    driver_in,
    replayed,
    told_before,
    watch,
)
from tests.benchmarks.simulated_workers import DRIVER, SIMULATION, Meter, Pace, SimulatedLauncher

BUSY, IDLE = 0.5, 0.02
"""What is wanted of the driver and of the workers at the most."""


@dataclass(frozen=True)
class Figures:
    """What was measured in the window of one run."""

    case: str
    workers: int
    points: int
    sec: float
    reports: int
    asked: int
    busy: float
    idle: float
    apart: float
    fill_sec: float
    peak_mib: float
    parts: Mapping[str, float]
    record_mib: float

    @property
    def per_sec(self) -> float:
        """Reports a second that arrived."""
        return self.reports / self.sec

    @property
    def most_per_sec(self) -> float:
        """Reports a second at which the driver would be busy all the time, with as many asks to a report."""
        return self.per_sec / self.busy if self.busy else float("inf")


def measure(setting: Setting, source: Path | None, home: Path) -> Figures:
    """Run a case up to the end of its window, in a process of its own, and return the figures of the window."""
    from tests.benchmarks.bench_search import Table, generated, read

    table = Table("generated", generated(0, rows=1000, keys=8, epochs=50)) if source is None else read(source)
    folder = home / "studies" / NAME
    meter = Meter()
    counts = watch(meter)
    kept = setting.before and setting.before / setting.case
    if kept and kept.is_dir():
        shutil.copytree(kept, folder)
    else:
        told_before(folder, setting, table)
        if kept:
            shutil.copytree(folder, kept)
    pace = Pace(setting.every_sec, midway=setting.case != "auto")
    launcher = SimulatedLauncher(setting.workers, meter, pace, replayed(table), table.epochs)
    copying = Copying(folder, meter) if setting.tracker else None
    composition = compose_case(setting, table)

    def tick() -> None:
        meter.charge("disk", counts.pop("syncs", 0) * setting.disk_ms / 1000)
        if copying:
            copying.send()

    changed, drawn = copying and copying.changed, 0 if setting.case == "auto" else setting.points + setting.workers
    with driver_in(folder, composition, launcher, meter, Screen(meter), changed, drawn=drawn) as driver:
        if copying:
            copying.begin()
        launcher.every_tick = tick
        figures = _window(setting, driver, launcher, meter, copying, folder)
        if copying:
            copying.close()
        return figures


def _window(
    setting: Setting, driver: Any, launcher: SimulatedLauncher, meter: Meter, copying: Copying | None, folder: Path
) -> Figures:
    began, filled, start, before = meter.now(), None, float("inf"), None
    with meter.part(DRIVER), survivors_set_aside(), driver.searching():
        while driver.step():
            now = meter.now()
            if filled is None and all(worker.trained for worker in launcher.workers):
                filled = now - began
                start = now + setting.warm_sec
            if before is None and now >= start:
                before = _standing(driver, launcher, meter, copying)
            if before is not None and now >= before["now"] + setting.window_sec:
                break
    assert before is not None and filled is not None, "the study ended before its window"
    after = _standing(driver, launcher, meter, copying)
    sec = after["now"] - before["now"]
    parts = {part: (after["spent"][part] - before["spent"][part]) / sec for part in after["spent"]}
    parts.pop(SIMULATION)
    return Figures(
        case=setting.case, workers=setting.workers, points=after["asked"], sec=sec,
        reports=after["reports"] - before["reports"], asked=after["asked"] - before["asked"],
        busy=(after["busy"] - before["busy"]) / sec,
        idle=(after["idle"] - before["idle"]) / (sec * setting.workers),
        apart=(after["apart"] - before["apart"]) / sec, fill_sec=filled,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        parts={part: round(share, 4) for part, share in sorted(parts.items(), key=lambda each: -each[1])},
        record_mib=_size_mib(folder),
    )  # fmt: skip


def _size_mib(folder: Path) -> float:
    """Return the size of a study's record and journal."""
    return sum(path.stat().st_size for path in folder.rglob("*.j*") if path.is_file()) / 2**20


def _standing(driver: Any, launcher: SimulatedLauncher, meter: Meter, copying: Copying | None) -> dict[str, Any]:
    return {
        "now": meter.now(), "busy": meter.busy, "spent": Counter(meter.spent), "reports": launcher.reports,
        "idle": launcher.idle_sec(), "asked": driver.asked, "apart": copying.apart_sec if copying else 0.0,
    }  # fmt: skip


def alone(setting: Setting, source: Path | None) -> dict[str, Any]:
    """Measure in this process, whose classes are changed for it, in a folder of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        figures = measure(setting, source, Path(temporary))
        os.chdir("/")
    return asdict(figures)


def in_its_own_process(setting: Setting, source: Path | None) -> Figures:
    """Measure in a process of its own."""
    words = [*(["--table", str(source)] if source else []), "--alone", json.dumps(asdict(setting), default=str)]
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_scale", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def markdown(figures: Sequence[Figures]) -> str:
    """Return the figures as tables: what was measured, and what the driver spent its time on."""
    rows = [
        "| case | workers | reports/s | new points/s | driver busy | workers idle | sender apart | most reports/s "
        "| memory | points | filled in |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in figures:
        rows.append(
            f"| {each.case} | {each.workers:,} | {each.per_sec:.1f} | {each.asked / each.sec:.1f} | {each.busy:.1%} "
            f"| {each.idle:.2%} | {each.apart:.1%} | {each.most_per_sec:,.0f} | {each.peak_mib:,.0f} MiB "
            f"| {each.points:,} | {each.fill_sec:.0f} s |"
        )
    names = sorted({part for each in figures for part in each.parts})
    rows += ["", f"| share of the time, % | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for each in figures:
        shares = (f"{100 * each.parts.get(name, 0):.1f}" for name in names)
        rows.append(f"| {each.case}, {each.workers:,} workers | {' | '.join(shares)} |")
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every case with every number of workers, each in a process of its own; 1 where a limit is not held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="file with learning curves; drawn ones by default")
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--case", nargs="+", choices=CASES, default=["auto", "tpe"])
    parser.add_argument("--points", type=int, default=2000, help="that the study has before")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two reports of a worker")
    parser.add_argument("--warm", type=float, default=60.0, help="seconds before the window")
    parser.add_argument("--window", type=float, default=120.0, help="seconds that are measured")
    parser.add_argument("--disk-ms", type=float, default=1.0, help="of one wait for the disk")
    parser.add_argument("--no-tracker", action="store_true", help="without the sender and MLflow's store")
    parser.add_argument("--before", type=Path, help="folder that keeps the studies with the points before")
    parser.add_argument("--alone", help="a setting as JSON: measure in this process and print the figures as JSON")
    parser.add_argument("--out", type=Path, help="write every figure as JSON")
    asked = parser.parse_args(arguments)
    source = asked.table and asked.table.resolve()
    if asked.alone:
        fields = json.loads(asked.alone)
        before = fields.pop("before")
        print(json.dumps(alone(Setting(**fields, before=before and Path(before)), source)))
        return 0
    before = asked.before and asked.before.resolve()
    figures = []
    for case in asked.case:
        for workers in asked.workers:
            setting = Setting(
                case, workers, asked.points, asked.every, asked.warm, asked.window, asked.disk_ms,
                not asked.no_tracker, before,
            )  # fmt: skip
            figures.append(in_its_own_process(setting, source))
            print(figures[-1], flush=True)
    print(markdown(figures))
    if asked.out:
        asked.out.write_text(json.dumps([asdict(each) for each in figures], indent=1) + "\n")
    return 0 if all(each.busy < BUSY and each.idle < IDLE for each in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
