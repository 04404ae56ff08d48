"""A campaign of faults: ``python tests/faults/campaign.py --seed 7 --faults 400``.

Draws kinds of faults and the studies that they befall, runs ``python -m hpsearch`` as a user does, lets each fault
happen, gives the same command again until the study is complete, and checks that nothing is lost, nothing is there
twice, nothing is left over and that the result is that of an undisturbed run. Exit code 1 if anything failed; the
folder of such a fault is kept, and the command that reproduces it is printed.

An interrupted campaign goes on with the same command: results are in a file of JSON lines beside the table, which is
written into the campaign's folder unless ``--table`` names a file.
"""

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.faults.harness.fault import Fault, Verdict, calm_run, put_through  # noqa: E402
from tests.faults.harness.registry import Kind, all_kinds  # noqa: E402
from tests.faults.harness.surroundings import SURROUNDINGS, Surroundings  # noqa: E402
from tests.faults.harness.table import Results, line  # noqa: E402

CI_UNDER = ("grid", "grid fused", "auto lockstep", "own code", "program")


def planned(seed: int, number: int, kinds: Sequence[Kind]) -> list[Fault]:
    """Return the faults of a campaign: every kind in turn, each under its surroundings in turn from a drawn one on."""
    draw = random.Random(seed)
    kinds = draw.sample(list(kinds), len(kinds))
    offsets = [draw.randrange(len(kind.under)) for kind in kinds]
    return [_planned(index, seed, kinds, offsets) for index in range(number)]


def planned_for_ci() -> list[Fault]:
    """Return one fault of every kind that CI runs, under few surroundings, each of which is run undisturbed once."""
    kinds = [_under(kind, CI_UNDER) for kind in all_kinds().values() if kind.ci]
    return sorted(planned(0, len(kinds), kinds), key=lambda fault: fault.kind.name)


def _under(kind: Kind, names: Collection[str]) -> Kind:
    """Return a kind under these surroundings alone; under its own where it knows none of them."""
    return replace(kind, under=tuple(name for name in kind.under if name in names) or kind.under)


def _planned(index: int, seed: int, kinds: Sequence[Kind], offsets: Sequence[int]) -> Fault:
    turn, place = divmod(index, len(kinds))
    kind = kinds[place]
    under = kind.under[(offsets[place] + turn) % len(kind.under)]
    return Fault(index, kind, SURROUNDINGS[under], f"{seed}-{index}")


def main(words: Sequence[str] | None = None) -> int:
    """Run a campaign; returns the exit code."""
    args = _parsed(words)
    _interruptible()
    kinds = _chosen(args)
    if args.list:
        print(*(f"{kind.name:<40}  {', '.join(kind.under)}  {kind.missing()}".rstrip() for kind in kinds), sep="\n")
        return 0
    folder = args.folder or Path(tempfile.gettempdir()) / f"hpsearch_campaign_{args.seed}"
    faults = planned(args.seed, max(args.faults, len(kinds), (args.only or 0) + 1), kinds)
    print(f"seed {args.seed}: {len(kinds)} kinds, in {folder}", flush=True)
    if args.only is not None:
        return _run([faults[args.only]], folder, args, lambda verdict: None)
    folder.mkdir(parents=True, exist_ok=True)
    table = args.table or folder / "campaign.md"
    results = Results(table, {"seed": args.seed, "faults": len(faults), "kinds": [kind.name for kind in kinds]})
    _run([fault for fault in faults if fault.index not in results.verdicts], folder, args, results.add)
    results.write_table()
    failed = [verdict for verdict in results.verdicts.values() if verdict.failed]
    print(f"seed {args.seed}: {len(results.verdicts)} faults, {len(failed)} failed; {table}")
    return 1 if failed else 0


def _chosen(args: argparse.Namespace) -> list[Kind]:
    kinds = [_under(kind, CI_UNDER) for kind in all_kinds().values() if kind.ci] if args.part else all_kinds().values()
    if args.under:
        those = set(args.under.split(","))
        kinds = [_under(kind, those) for kind in kinds if those & set(kind.under)]
    parts = args.kinds.split(",")
    kinds = [kind for kind in kinds if any(part in kind.name for part in parts)]
    return kinds or sys.exit(f"campaign: no kind '{args.kinds}' under '{args.under or 'any'}'; see --list")


def _run(faults: Sequence[Fault], folder: Path, args: argparse.Namespace, keep: Callable[[Verdict], None]) -> int:
    failed = 0
    for verdict in _verdicts(faults, folder, args.jobs):
        keep(verdict)
        print(line(verdict), flush=True)
        if verdict.failed:
            failed = 1
            print(f"      kept: {folder / f'fault-{verdict.index}'}; again: {_again(args, verdict.index)}", flush=True)
    return failed


def _again(args: argparse.Namespace, index: int) -> str:
    words = [f"--{name} '{value}'" for name in ("kinds", "under", "part") if (value := getattr(args, name))]
    return " ".join(["python tests/faults/campaign.py --seed", str(args.seed), *words, f"--only {index}"])


def _verdicts(faults: Sequence[Fault], folder: Path, jobs: int) -> Iterator[Verdict]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _interruptible)  # without `max_tasks_per_child`: 3.11 hangs with it
    try:
        for calm in [pool.submit(calm_run, surroundings, folder) for surroundings in _needed(faults)]:
            calm.result()
        given = [(one.index, one.kind.name, one.surroundings, one.seed, folder) for one in faults]
        for done in as_completed([pool.submit(_in_child, *those) for those in given]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)  # of one that is interrupted no further fault begins


def _interruptible() -> None:
    """Let a campaign that is ended, in the background too, end the studies that it has started."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _needed(faults: Sequence[Fault]) -> list[Surroundings]:
    return list({fault.surroundings.name: fault.surroundings for fault in faults if not fault.kind.missing()}.values())


def _in_child(index: int, kind: str, surroundings: Surroundings, seed: str, folder: Path) -> Verdict:
    return put_through(Fault(index, all_kinds()[kind], surroundings, seed), folder)


def _parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign.py", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--faults", type=int, default=0, help="how many; every kind happens at least once")
    parser.add_argument("--kinds", default="", help="these alone, by name or a part of it, with commas between them")
    parser.add_argument("--under", default="", help="under these surroundings alone, with commas between them")
    parser.add_argument("--part", choices=["ci"], help="the kinds that CI runs")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this fault of the campaign alone")
    parser.add_argument("--list", action="store_true", help="print the kinds and their surroundings")
    parser.add_argument("--jobs", type=int, default=2, help="faults at the same time")
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="campaign.md in the folder of the studies, unless named"
    )
    parser.add_argument("--folder", type=Path, help="where the studies lie")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
