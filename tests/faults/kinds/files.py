"""Files of a study are lost, damaged, cut, older or copied, its folder is moved, its lock taken away, the clock set."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import GRIDS, OWN_CODE, PROGRAMS

SEARCHES = (*GRIDS, "auto lockstep", "auto fused", "auto inline", *OWN_CODE, *PROGRAMS)
STAGED = ("recipe", "recipe fused", "ablation")
"""Not the fused ablation: what is lost trains again beside fewer others, within the tolerance but not bit for bit."""
OF_STUDIES = ("events/*.jsonl", "optuna.journal", "study.yaml", "tracking/*", "trials.csv")
COPIES = ("{stem} copy.jsonl", "{stem} (1).jsonl", "._{stem}.jsonl", "{stem}.jsonl~", "{stem}.sync-conflict-7.jsonl")
SHIFTED = "import time\n_real = time.time\ntime.time = lambda: _real() + {sec}\n"


def study(run: Run) -> Path:
    return run.folder / "studies" / "s"


def of_a_trial(run: Run) -> Path:
    """Return the event file of a trial that is drawn."""
    return run.random.choice(sorted((study(run) / "events").glob("*-*-*.jsonl")))


def remove(run: Run, path: Path) -> None:
    path.unlink()


def empty(run: Run, path: Path) -> None:
    path.write_bytes(b"")


def zero(run: Run, path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut_anywhere(run: Run, path: Path) -> None:
    os.truncate(path, run.random.randrange(path.stat().st_size))


def cut_at_a_line(run: Run, path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: run.random.randrange(len(lines))]))


def flip(run: Run, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[run.random.randrange(len(data))] ^= 1 << run.random.randrange(7)
    path.write_bytes(data)


DAMAGES: tuple[Callable[[Run, Path], None], ...] = (remove, empty, zero, cut_anywhere, cut_at_a_line, flip)


def after_the_end(run: Run) -> Path:
    """Let the study complete, and keep what is on record then."""
    run.start()
    run.expect(0)
    run.keep()
    return study(run)


@kind("event file of a trial damaged", under=SEARCHES)
def event_file_damaged(run: Run) -> None:
    after_the_end(run)
    run.random.choice(DAMAGES)(run, of_a_trial(run))
    run.start()


@kind("several event files damaged", under=SEARCHES)
def event_files_damaged(run: Run) -> None:
    after_the_end(run)
    for _ in range(4):
        path = of_a_trial(run)
        run.random.choice([damage for damage in DAMAGES if path.stat().st_size or damage is remove])(run, path)
    run.start()


@kind("file of a stage or an arm damaged", under=STAGED)
def file_of_a_stage_damaged(run: Run) -> None:
    after_the_end(run)
    files = [path for pattern in OF_STUDIES for path in run.folder.glob(f"studies/*/{pattern}")]
    run.random.choice(DAMAGES)(run, run.random.choice(sorted(files)))
    run.start()


@kind("study's own events damaged", under=SEARCHES)
def own_events_damaged(run: Run) -> None:
    folder = after_the_end(run)
    run.random.choice(DAMAGES)(run, folder / "events" / "study.jsonl")
    run.start()


def _older(name: str) -> Callable[[Run], None]:
    """Put a file or folder of a complete study back to what it was in the middle."""

    def inject(run: Run) -> None:
        run.start()
        run.moment("middle")
        path, older = study(run) / name, run.place / "older"
        _copy(path, older)
        run.expect(0)
        _copy(older, path)
        run.start()

    return inject


def _copy(path: Path, to: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, to, dirs_exist_ok=True)
    else:
        shutil.copyfile(path, to)


kind("events older", under=SEARCHES)(_older("events"))


@kind("journal damaged", under=SEARCHES, ci=True)
def journal_damaged(run: Run) -> None:
    folder = after_the_end(run)
    run.random.choice(DAMAGES)(run, folder / "optuna.journal")
    run.start()


@kind("journal damaged halfway", under=SEARCHES)
def journal_damaged_halfway(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill([*run.driver, *run.others])
    run.wait()
    if (path := study(run) / "optuna.journal").exists():
        run.random.choice(DAMAGES)(run, path)


kind("journal older", under=SEARCHES)(_older("optuna.journal"))


@kind("description, tables and report lost", under=SEARCHES)
def what_can_be_made_again_lost(run: Run) -> None:
    folder = after_the_end(run)
    for name in ("study.yaml", "trials.csv", "report.html", "README.md", "owner.json"):
        if run.random.random() < 0.7:
            (folder / name).unlink()
    run.start()


@kind("copies beside event files", under=SEARCHES)
def copies_beside(run: Run) -> None:
    folder = after_the_end(run)
    made = []
    for name in COPIES:
        path = of_a_trial(run)
        made.append(folder / "events" / name.format(stem=path.stem))
        shutil.copyfile(path, made[-1])
    for words in (("list",), ("report", "s"), ("sync",)):
        assert run.command(*words).wait(300) == 0, words
    run.start()
    run.expect(0)
    for path in made:  # `load_trials` warns of them, rightly
        path.unlink()


@kind("lock removed while it runs", under=SEARCHES)
def lock_removed(run: Run) -> None:
    run.start()
    run.moment("middle")
    (study(run) / "lock").unlink(missing_ok=True)
    run.expect(0, 2)


@kind("folder moved away and back", under=SEARCHES)
def folder_moved(run: Run) -> None:
    run.start()
    run.moment("middle")
    away = study(run).rename(run.place / "away")
    run.expect(0, 2)
    shutil.rmtree(study(run), ignore_errors=True)
    away.rename(study(run))


@kind("clock set between two runs", under=SEARCHES)
def clock_set(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill([*run.driver, *run.others])
    run.wait()
    site = run.place / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SHIFTED.format(sec=run.random.choice((-86_400, 86_400))))
    path = os.pathsep.join([str(site), run.environment["PYTHONPATH"]])
    run.start(env={**run.environment, "PYTHONPATH": path})
    run.expect(0)
