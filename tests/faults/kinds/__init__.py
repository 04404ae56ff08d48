"""Kinds of faults, one module per subject; the campaign finds every module of this package by itself.

How to add one: write a function of one argument, a `Run`, in the module of its subject, under the decorator::

    @kind("worker killed", under=PROCESSES, ci=True)
    def worker_killed(run: Run) -> None:
        run.start()
        run.moment()
        run.kill(run.workers)

- `under`: the names of the surroundings that it makes sense in, see `tests.faults.harness.surroundings`; the campaign
  draws one of them. `ci=True` puts it into the part that CI runs, under the first of them. `root=True`: it is skipped
  by name where the user is not root. `needs=...` names a program without which it is skipped.
- `run.start(*words)` starts the command of the surroundings as a user does, `run.moment()` waits for a moment that is
  drawn from the seed ("start", "middle" or "end" of the run, or the part that is named) and keeps what was on record
  then, `run.driver`, `run.workers`, `run.others` are processes, `run.kill(processes, number)` sends signals,
  `run.expect(130)` waits for the end and says which exit codes are right, `run.random` draws, `run.folder` is the
  working folder, `run.tmp` its TMPDIR, `run.environment` what the next start is given.
- `run.always` holds words that every further start has, as the address of a server; `run.twins` names further studies
  that must become like the first; `run.in_trials(code)` lets the trials of one's own code run that after each epoch.
- It returns when the fault is over and everything that it broke from outside is whole again: a disk has room, a server
  is up. What hpsearch wrote stays as it is. A process of the run may still be running; the harness waits for it.
- Then the harness runs the same command until the study is complete, three times at most, and checks all of
  `tests.faults.harness.checks`. `run.excuse(check, found, why)` leaves out of what a check finds what the fault
  causes by itself; `run.only_alike = why` says that the result cannot be the undisturbed one.

Everything random comes from `run.random`, so that ``--seed N --only INDEX`` is the same fault again.
"""
