"""Trials that hang, raise what cannot be told, break their process, or start what lets go of them."""

import signal
from collections.abc import Callable
from textwrap import dedent, indent

from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import OWN_CODE, PROCESSES, PROGRAMS

OF_TRIALS = r"^traceback in \S*/log\.txt: "
HANGS = {
    "sleeps": "time.sleep(1000)",
    "computes": "while True: pass",
    "computes without Python": 'import re; re.match("(a+)+$", "a" * 60 + "b")',
    "waits with the interpreter's lock": "import ctypes; ctypes.PyDLL(None).sleep(1000)",
    "ignores signals": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)",
    "cleans up for ever": "try: time.sleep(1000)\nfinally: time.sleep(1000)",
    "catches all": "while True:\n    try: time.sleep(1000)\n    except BaseException: pass",
    "waits for a lock": "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "stands still": "import signal; os.kill(os.getpid(), signal.SIGSTOP)",
}
RAISES = {
    "says nothing": "raise type('Unsaid', (Exception,), {'__str__': lambda self: 1 / 0})",
    "exits as it speaks": "raise type('Unsaid', (Exception,), {'__str__': lambda self: exit(7)})",
    "says bytes": "raise RuntimeError(bytes(range(256)))",
    "says no character": r"raise RuntimeError('\ud800 \x00 \x1b[31m')",
    "says too much": "raise RuntimeError('x' * 10**7)",
    "is several": "raise BaseExceptionGroup('several', [ValueError(), KeyboardInterrupt()])",
    "cannot be sent": "raise type('Unsent', (Exception,), {'__reduce__': lambda self: 1 / 0})(lambda: 0)",
    "is an exit": "import sys; sys.exit(3)",
    "is an interrupt": "raise KeyboardInterrupt",
    "is the end of a generator": "raise GeneratorExit",
    "is no exception": "raise type('Odd', (BaseException,), {})",
    "is too deep": "eval('f(f)', {'f': lambda f: f(f)})",
}
LEAVES = {
    "with code 0": "os._exit(0)",
    "with code 3": "os._exit(3)",
    "by SIGTERM": "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); os.killpg(0, signal.SIGTERM)",
    "without its descriptors": "os.closerange(0, 256)",
    "after noise in its pipes": "for fd in range(3, 32):\n    try: os.write(fd, b'no frame')\n    except OSError: pass",
}
DETACHED = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 256)
        os.execve("/bin/sleep", ["sleep", "1000"], {environment})
    os._exit(0)
os.wait()
"""
CHANGES = """
import atexit, logging, signal, sys, threading, warnings
os.environ.clear()
os.umask(0o077)
warnings.simplefilter("error", UserWarning)
logging.disable()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
signal.setitimer(signal.ITIMER_REAL, 0.001) if signal.signal(signal.SIGALRM, signal.SIG_IGN) else None
threading.Thread(target=time.sleep, args=(1000,)).start()
atexit.register(time.sleep, 1000)
for fd in range(3):
    os.close(fd)
sys.stdout.close()
sys.stdout, sys.stderr = None, print
os.chdir("/")
"""

BREAKS = {
    "a function of a library": "random.random = None",
    "a library": "import sys\nsys.modules['random'] = sys.modules['os'] = None",
    "a built-in function": "import builtins\nbuiltins.open = builtins.exec = None",
    "the number of files": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "the size of files": "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    "its memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**20, resource.RLIM_INFINITY))",
    "its depth": "import sys\nsys.setrecursionlimit(60)",
    "by an alarm": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)",
    "by a handler": "import signal\nsignal.signal(signal.SIGCHLD, lambda *_: 1 / 0)\nsignal.alarm(1)",
    "with signals blocked": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))",
}
"""What a trial leaves to those that its worker trains after it."""


def _once(code: str, epoch: int) -> str:
    """Let one trial of each setting do something after an epoch, in one of its attempts."""
    flag = 'f"once-{lr}"'
    return dedent(f"""
        if epoch == {epoch} and not os.path.exists({flag}):
            open({flag}, "x").close()
        """) + indent(code, "    ")


def _in_one_attempt(codes: dict[str, str], *words: str) -> Callable[[Run], None]:
    """Let trials do one of these things, of which their next attempts know nothing."""

    def inject(run: Run) -> None:
        if codes is RAISES:
            run.excuse("no_traceback_is_logged", OF_TRIALS, "the log of a trial ends with what it raised")
        run.in_trials(_once(codes[run.random.choice(sorted(codes))], run.random.randint(1, 11)))
        run.start("launcher.retries=20", *words)
        run.expect(0)

    return inject


kind("trial raises what cannot be told", under=OWN_CODE)(_in_one_attempt(RAISES))
kind("trial leaves its worker", under=OWN_CODE)(_in_one_attempt(LEAVES))
kind("trial hangs until its limit", under=OWN_CODE)(_in_one_attempt(HANGS, "budget.silent_seconds=2"))
kind("trial changes its process", under=OWN_CODE)(_in_one_attempt({"": CHANGES}))


@kind("trial breaks its worker for others", under=("own code",))  # what waits in a broken worker is broken, too
def breaks_for_others(run: Run) -> None:
    run.excuse("no_traceback_is_logged", OF_TRIALS, "attempts of others fail once, and their logs say how")
    run.in_trials(_once(BREAKS[run.random.choice(sorted(BREAKS))], 12))
    run.start("launcher.retries=20")
    run.expect(0)


@kind("trial hangs, interrupted once", under=OWN_CODE)
def hangs(run: Run) -> None:
    run.in_trials(f"open('hung', 'w').close()\n{HANGS[run.random.choice(sorted(HANGS))]}")
    run.start("launcher.grace_sec=1")
    run.wait_until((run.folder / "hung").exists)
    run.keep()
    run.kill(run.driver, signal.SIGINT)
    run.expect(130)
    run.as_before()


@kind("worker stands still, interrupted once", under=PROCESSES)
def worker_stands_still(run: Run) -> None:
    run.start("launcher.grace_sec=1")
    run.moment("middle")
    run.kill(run.workers[-1:], signal.SIGSTOP)
    run.kill(run.driver, signal.SIGINT)
    run.expect(130, 0)


@kind("program stands still, interrupted once", under=PROGRAMS)
def program_stands_still(run: Run) -> None:
    run.start("launcher.grace_sec=1")
    run.moment("middle")
    run.kill(run.programs, signal.SIGSTOP)
    run.kill(run.driver, signal.SIGINT)
    run.expect(130, 0)


@kind("trial detaches a program", under=OWN_CODE)
def detaches(run: Run) -> None:
    environment = run.random.choice(["os.environ", "{'HPSEARCH_CAMPAIGN': os.environ.get('HPSEARCH_CAMPAIGN', '')}"])
    run.in_trials(_once(DETACHED.format(environment=environment), run.random.randint(1, 11)))
    run.start()
    run.expect(0)


@kind("driver killed beside a detached program", under=OWN_CODE)
def killed_beside_a_detached_one(run: Run) -> None:
    run.in_trials(_once(DETACHED.format(environment="os.environ"), run.random.randint(1, 11)))
    run.start()
    run.moment("middle")
    run.kill(run.driver)
    run.wait()
    run.start()  # it ends what that one left
    run.expect(0)
