"""Trials of mixed kinds are trained, and trained again from their record in another process: is every curve the same?

``python -m tests.benchmarks.check_replay --out tests/benchmarks/check_replay.md`` draws 200 trials over models, data,
optimizers, schedules, regularizers, losses, metrics, augmentation, precision, initialization, folds and seeds: trained
alone, killed and gone on with from their checkpoints, as one program with others, loops of a user's own, and programs.
Batches of them are trained in one process and replayed in another, fresh one. Members of groups are trained by the
plain loop as well: how far both paths are apart is printed beside the tolerance.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hpsearch import Silent
from hpsearch.base.errors import HpsearchError
from hpsearch.base.lacking import lacking_words
from hpsearch.base.replicates import MEASURED
from hpsearch.base.types import TrialState
from hpsearch.base.widths import WIDTHS
from hpsearch.tracking.events import read_trials
from tests.benchmarks.drawn_trials import CODE, HOME, MODULE, PROGRAM, Drawn, as_study, draw

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-3
"""Largest difference of a loss between a member of a group and its plain twin after some 30 steps, relative to it."""
MEMBERS = 6
"""Members of a group that are replayed."""


class KilledAfter(Silent):
    """Kills its own process as soon as a trial has reported so often."""

    def __init__(self, reports: int) -> None:
        self._reports = reports

    def update(self, progress: Any) -> None:
        """Look at the trial that runs."""
        if any(each.epoch >= self._reports for each in progress.running):
            os.kill(os.getpid(), signal.SIGKILL)


def train(drawn: Drawn) -> list[str]:
    """Train what was drawn; return the names of its trials."""
    from hpsearch import run_study, run_trial

    if drawn.kind == "fused":
        name = f"fused{drawn.number}"
        run_study(as_study(drawn, name), observer=Silent())
        trained = read_trials(Path("studies") / name)
        return [f"{name}/{each.id}" for each in trained if WIDTHS in each.facts and each.reports][:MEMBERS]
    words = [*drawn.words, *HOME]
    if drawn.kind == "killed":
        child = os.fork()
        if not child:
            try:
                run_trial(words, observer=KilledAfter(2))
            finally:
                os._exit(0)  # whatever happened: the rest is its parent's
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise HpsearchError("it was refused, or ended before it was killed")
    outcome = run_trial(words, observer=Silent())
    if outcome.state == TrialState.FAILED:
        raise HpsearchError(f"FAILED: {outcome.reason}")
    return [outcome.run]


def train_all(todo: Sequence[Drawn]) -> Iterator[dict[str, Any]]:
    """Train a batch; yield a row for each trial, and one without a name for what is refused or fails."""
    for drawn in sorted(todo, key=lambda each: each.kind != "killed"):  # a fork comes before anything is computed
        row = {"number": drawn.number, "kind": drawn.kind, "choices": dict(drawn.choices)}
        try:
            names = train(drawn)
        except HpsearchError as error:
            yield {**row, "why": str(error)}
            continue
        yield from ({**row, "run": name} for name in names)
        if not names:
            yield {**row, "why": "no member of a group"}


def replay_all(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Train the trials of rows again, from their record; yield the rows with what differs."""
    from hpsearch import replay

    for row in rows:
        study, *place = row["run"].split("/")
        (record,) = (each for each in read_trials(Path("studies") / study) if str(each.id) == "/".join(place))
        given = (*HOME, *lacking_words(record.config))
        given = (*given, f"plugins=[{MODULE}]") if row["kind"] == "own loop" else given
        found = {"state": record.state, "attempts": record.attempts, "reports": len(record.reports)}
        try:
            again = replay(row["run"], overrides=given, observer=Silent())
            found |= {"same": again.same, "first": again.first or again.differences[:1], "reasons": again.reasons}
        except HpsearchError as error:
            found |= {"same": False, "first": f"refused: {error}", "reasons": ()}
        yield {**row, **found, **(_beside_plain(record) if row["kind"] == "fused" else {})}


def _beside_plain(record: Any) -> dict[str, float]:
    """Return how far the losses of a member are from those of the same trial by the plain loop, relative to them."""
    from hpsearch import run_trial

    run = run_trial([*record.overrides, "launcher.fuse=off", *HOME], observer=Silent()).run
    study, *place = run.split("/")
    (plain,) = (each for each in read_trials(Path("studies") / study) if str(each.id) == "/".join(place))
    pairs = zip(record.reports, plain.reports, strict=False)
    apart = [
        abs(old.metrics[name] - new.metrics[name]) / abs(new.metrics[name])
        for old, new in pairs
        for name in old.metrics
        if name.endswith("loss") and not name.endswith(MEASURED) and new.metrics.get(name)
    ]
    return {"apart": max(apart)}  # there are some, or nothing was compared


def _in_process(part: str, folder: Path, given: Sequence[Any]) -> list[dict[str, Any]]:
    """Run a part of a batch in a fresh process; return its rows."""
    todo, done = folder / "todo.json", folder / "done.jsonl"
    todo.write_text(json.dumps(given))
    done.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.benchmarks.check_replay", "--part", part, str(todo), str(done)]
    path = os.pathsep.join((str(ROOT), str(folder)))
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.DEVNULL, check=True)
    return [json.loads(line) for line in done.read_text().splitlines()]


def _work(part: str, todo: Path, done: Path) -> int:
    given = json.loads(todo.read_text())
    rows = train_all([draw(*each) for each in given]) if part == "train" else replay_all(given)
    with done.open("a") as file:
        for row in rows:
            file.write(f"{json.dumps(row, default=str)}\n")
            file.flush()
    return 0


def batches(wanted: int, seed: int, size: int, kinds: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield batches of rows of trials that were trained and replayed, until there are as many as wanted."""
    number, count = 0, 0
    while count < wanted:
        numbers = range(number, number + min(size, wanted - count))
        drawn = [(each, seed, kinds[each] if each < len(kinds) else None) for each in numbers]
        number = numbers.stop
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / f"{MODULE}.py").write_text(CODE)
            (folder / "program.py").write_text(PROGRAM)
            trained = _in_process("train", folder, drawn)
            runs = [row for row in trained if "run" in row][: wanted - count]
            replayed = _in_process("replay", folder, runs) if runs else []
        count += len(replayed)
        yield [*replayed, *(row for row in trained if "run" not in row)]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return what was found, as Markdown."""
    done, refused = [row for row in rows if "run" in row], [row for row in rows if "run" not in row]
    lines = ["| trained | trials | identical | reports compared |", "|---|---|---|---|"]
    for kind in [*dict.fromkeys(row["kind"] for row in done)]:
        of = [row for row in done if row["kind"] == kind]
        lines.append(f"| {kind} | {len(of)} | {sum(row['same'] for row in of)} | {sum(row['reports'] for row in of)} |")
    same = sum(row["same"] for row in done)
    lines += [f"| all | {len(done)} | {same} | {sum(row['reports'] for row in done)} |", ""]
    lines += _apart([row["apart"] for row in done if "apart" in row])
    states, resumed = Counter(str(row["state"]) for row in done), sum(row["attempts"] > 1 for row in done)
    lines.append(
        f"How they ended: {', '.join(f'{state} {n}' for state, n in states.items())}; {resumed} were killed and"
    )
    lines.append(f"gone on with. Draws that are refused, as what was drawn does not go together: {len(refused)}.\n")
    return "\n".join([*lines, *_choices(done), *_differing(done)])


def _apart(apart: Sequence[float]) -> Iterator[str]:
    if apart:
        within, middle = sum(each <= TOLERANCE for each in apart), sorted(apart)[len(apart) // 2]
        yield f"Fused beside plain: losses of {within} of {len(apart)} members are within {TOLERANCE:g}, relative, of"
        yield f"those of the same trial by the plain loop; the largest is {max(apart):.1e}, the median {middle:.1e}.\n"


def _choices(done: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield from ("| group | options, with their trials |", "|---|---|")
    for group in dict.fromkeys(name for row in done for name in row["choices"] if name != "rate"):
        found = Counter(row["choices"][group] for row in done if group in row["choices"])
        yield f"| {group} | {', '.join(f'{option} {n}' for option, n in sorted(found.items()))} |"
    yield ""


def _differing(done: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in done:
        if not row["same"]:
            yield f"- {row['run']} (draw {row['number']}, {row['kind']}): {row['first']}; {'; '.join(row['reasons'])}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw, train and replay.

    Args:
        argv: words of the command line.

    Returns:
        0 where every curve is the same, and every pair of paths within the tolerance.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=25, help="draws that share two processes")
    parser.add_argument("--kinds", nargs="*", default=[], help="of the first draws, in order")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.part:
        return _work(given.part[0], Path(given.part[1]), Path(given.part[2]))
    rows: list[dict[str, Any]] = []
    for batch in batches(given.trials, given.seed, given.batch, given.kinds):
        rows += batch
        print(
            f"{sum('run' in row for row in rows)} of {given.trials}",
            *_differing([row for row in batch if "run" in row]),
        )
        print(*(f"  draw {row['number']}, {row['kind']}: {row['why']}" for row in batch if "why" in row), sep="\n")
        if given.out:
            given.out.write_text(f"# Trials trained again\n\n`{_command(given)}`\n\n{table(rows)}")
    print(table(rows))
    return 0 if all(row["same"] and row.get("apart", 0) <= TOLERANCE for row in rows if "run" in row) else 1


def _command(given: argparse.Namespace) -> str:
    kinds = f" --kinds {' '.join(given.kinds)}" if given.kinds else ""
    how = f"--trials {given.trials} --seed {given.seed} --batch {given.batch}{kinds}"
    return f"python -m tests.benchmarks.check_replay {how}"


if __name__ == "__main__":
    sys.exit(main())
