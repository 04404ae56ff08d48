"""Several commands in one folder at once."""

import subprocess

from tests.faults.harness.registry import kind
from tests.faults.harness.run import LIMIT_SEC, Run
from tests.faults.harness.surroundings import GRIDS, OWN_CODE

REFUSED = 2


def _others(run: Run, number: int) -> list[subprocess.Popen[bytes]]:
    run.twins = [f"t{index}" for index in range(number)]
    return [run.command(*run.surroundings.words, f"study.name={name}") for name in run.twins]


def _ends_well(run: Run, process: subprocess.Popen[bytes]) -> None:
    if (code := process.wait(LIMIT_SEC)) != 0:
        run.complaints.append(f"another study ended with exit code {code}")


@kind("two studies at once", under=(*GRIDS, "own code"))
def two_at_once(run: Run) -> None:
    run.start()
    run.moment("start")
    for process in _others(run, 1):
        _ends_well(run, process)
    run.expect(0)


@kind("eight studies at once", under=(*GRIDS, "own code"))
def eight_at_once(run: Run) -> None:
    run.start()
    for process in _others(run, 7):
        _ends_well(run, process)
    run.expect(0)


@kind("the same study twice at once", under=(*GRIDS, *OWN_CODE), ci=True)
def same_twice(run: Run) -> None:
    run.start()
    run.moment()
    second = run.command(*run.surroundings.words)
    if second.wait(LIMIT_SEC) not in (REFUSED, 0):
        run.complaints.append(f"the second ended with exit code {second.returncode}")
    if run.expect(REFUSED, 0) == second.returncode == REFUSED:
        run.complaints.append("each of two drivers was refused for the other")


@kind("the same study twice, the first killed", under=(*GRIDS, *OWN_CODE))
def same_twice_first_killed(run: Run) -> None:
    run.start()
    run.moment("middle")
    second = run.command(*run.surroundings.words)
    run.kill(run.driver)
    if second.wait(LIMIT_SEC) not in (REFUSED, 0):
        run.complaints.append(f"the second ended with exit code {second.returncode}")


@kind("sync beside a running study", under=GRIDS)
def sync_beside(run: Run) -> None:
    run.start()
    run.moment()
    if run.command("sync").wait(LIMIT_SEC) not in (REFUSED, 0):
        run.complaints.append("sync failed beside a running study")
    run.expect(0)


@kind("report and list beside a running study", under=GRIDS)
def report_beside(run: Run) -> None:
    run.start()
    run.moment()
    for words in (("report", "s"), ("list",)):
        if run.command(*words).wait(LIMIT_SEC) not in (REFUSED, 0):
            run.complaints.append(f"{words[0]} failed beside a running study")
    run.expect(0)
