"""The branch of each system, taken by a stub: what Linux lacks is put in place of what it has."""

import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from hpsearch.base import platform

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stubs put in place what Linux lacks")


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(platform, "LINUX", False)
    monkeypatch.setattr(platform, "WINDOWS", True)


@pytest.fixture
def macos(monkeypatch):
    monkeypatch.setattr(platform, "LINUX", False)
    monkeypatch.setattr(platform, "MACOS", True)


CHILD = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""
SLEEPER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"
"""Prints the number of a process that its child has started."""


def gone(pid):
    import psutil

    try:
        psutil.Process(pid).wait(10)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_a_group_leads_a_session_and_is_killed_with_what_it_started():
    process = platform.start_group([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    platform.kill_group(process.pid)
    assert process.wait(10) == -signal.SIGKILL
    assert gone(child)
    platform.kill_group(process.pid)
    process.stdout.close()


def test_a_group_is_asked_to_end_before_it_is_killed(monkeypatch):
    text = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print(flush=True); "
    process = platform.start_group([sys.executable, "-c", text + "time.sleep(60)"], stdout=subprocess.PIPE)
    process.stdout.readline()
    platform.end_group(process)
    assert process.returncode == 7
    process.stdout.close()


def test_windows_starts_a_process_group_without_a_session(windows, monkeypatch):
    given = {}
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: given.update(options))
    platform.start_group(["x"], stdin=None)
    assert given == {"creationflags": 0x200, "stdin": None}


@pytest.mark.parametrize("end", [lambda process: platform.kill_group(process.pid), platform.end_group])
def test_windows_kills_the_tree_of_children(windows, monkeypatch, end):
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    monkeypatch.delattr(os, "killpg")
    end(process)
    assert process.wait(10) and gone(child)
    process.stdout.close()


def test_windows_ends_its_own_children_and_itself(windows, monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit):
        platform.kill_own_group()
    assert process.wait(10)


def test_only_linux_has_a_lifeline(macos):
    assert platform.open_lifeline() == (None, None)
    platform.die_with(99)


def test_windows_watches_a_server_without_a_fork(windows):
    words = platform.watched(["-c", "import os; print(os.getppid())"])
    assert "fork" not in words[4]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert int(process.stdout.readline()) == process.pid
    process.kill()
    process.communicate()


def test_a_watched_process_dies_when_its_standard_input_ends():
    words = platform.watched(["-c", "print('up', flush=True); import time; time.sleep(60)"])
    process = platform.start_group(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    process.stdin.close()
    assert process.wait(20) == -signal.SIGKILL
    process.stdout.close()


def test_windows_has_no_fork_to_close_a_descriptor_in(monkeypatch):
    monkeypatch.delattr(os, "register_at_fork")
    platform.close_in_children(1)


def test_windows_is_told_not_to_touch_bytes(windows, monkeypatch):
    told = []
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(setmode=lambda *args: told.append(args)))
    monkeypatch.setattr(os, "O_BINARY", 32768, raising=False)
    platform.make_binary(5, 6)
    assert told == [(5, 32768), (6, 32768)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (7, "ended with exit code 7"),
        (None, "ended with exit code None"),
        (-11, "was killed by SIGSEGV"),
        (-9, "was killed by SIGKILL (as the kernel does when memory runs out)"),
        (-37, "was killed by signal 37"),
        (3221225477, "crashed with status 0xC0000005"),
    ],
)
def test_how_a_process_ended(code, words):
    assert platform.how_it_ended(code) == words


def test_signals_that_stop(monkeypatch):
    assert platform.stop_signals() == (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert platform.stop_signals() == (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    signal.signal(signal.SIGHUP, before)
    monkeypatch.delattr(signal, "SIGHUP")
    monkeypatch.delattr(signal, "SIGUSR1")
    monkeypatch.setattr(signal, "SIGBREAK", 21, raising=False)
    assert platform.stop_signals() == (signal.SIGINT, signal.SIGTERM, 21)


def test_only_windows_waits_in_pieces(monkeypatch):
    assert platform.longest_wait() is None
    monkeypatch.setattr(platform, "WINDOWS", True)
    assert platform.longest_wait() == 0.5


def test_macos_empties_the_buffer_of_the_drive(macos, monkeypatch):
    asked, synced = [], []
    fcntl = types.SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda *args: asked.append(args))
    monkeypatch.setitem(sys.modules, "fcntl", fcntl)
    monkeypatch.setattr(os, "fsync", synced.append)
    platform.sync_file(4)
    assert (asked, synced) == ([(4, 51)], [])
    fcntl.fcntl = lambda *_: (_ for _ in ()).throw(OSError("not supported"))
    platform.sync_file(4)
    assert synced == [4]


def test_a_folder_that_cannot_be_opened_is_not_synced(tmp_path, monkeypatch):
    platform.sync_folder(tmp_path)
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "a folder")))
    platform.sync_folder(tmp_path)


def refusing(times, monkeypatch):
    tries, real = [], Path.replace

    def replace(self, target):
        tries.append(target)
        if len(tries) <= times:
            raise PermissionError(13, "open elsewhere")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return tries


def test_windows_asks_again_while_a_reader_has_the_file_open(windows, tmp_path, monkeypatch):
    (tmp_path / "new").write_text("new")
    tries = refusing(2, monkeypatch)
    platform.replace(tmp_path / "new", tmp_path / "old")
    assert len(tries) == 3 and (tmp_path / "old").read_text() == "new"


def test_windows_gives_up_in_the_end_and_others_at_once(tmp_path, monkeypatch):
    (tmp_path / "new").write_text("new")
    tries = refusing(99, monkeypatch)
    with pytest.raises(PermissionError):
        platform.replace(tmp_path / "new", tmp_path / "old")
    assert len(tries) == 1
    monkeypatch.setattr(platform, "WINDOWS", True)
    monkeypatch.setattr(platform, "REPLACE_SEC", 0.1)
    with pytest.raises(PermissionError):
        platform.replace(tmp_path / "new", tmp_path / "old")
    assert len(tries) > 2


@pytest.mark.parametrize(("system", "kept"), [("LINUX", []), ("WINDOWS", ["lock"])])
def test_a_folder_moves_but_for_the_file_held_open_on_windows(tmp_path, monkeypatch, system, kept):
    monkeypatch.setattr(platform, "WINDOWS", system == "WINDOWS")
    folder = tmp_path / "study"
    (folder / "trials").mkdir(parents=True)
    for name in ("lock", "study.yaml", "trials/0.pt", "z.csv"):
        (folder / name).write_text(name)
    moved = platform.move_folder(folder, tmp_path / "aside", held="lock", last="study.yaml")
    assert moved == tmp_path / "aside" and (moved / "trials" / "0.pt").exists() and (moved / "study.yaml").exists()
    assert (sorted(path.name for path in folder.iterdir()) if folder.exists() else []) == kept


def test_the_file_that_names_a_study_is_moved_last(windows, tmp_path, monkeypatch):
    folder, moved, real = tmp_path / "study", [], Path.rename
    folder.mkdir()
    for name in ("study.yaml", "a", "z"):
        (folder / name).touch()
    monkeypatch.setattr(Path, "rename", lambda self, to: (moved.append(self.name), real(self, to)))
    platform.move_folder(folder, tmp_path / "aside", held="lock", last="study.yaml")
    assert moved[-1] == "study.yaml"


def missing(monkeypatch, *paths):
    real = Path.read_text

    def read(self, *args, **kwargs):
        if str(self) in paths:
            raise FileNotFoundError(2, "not on this system")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read)


def test_a_system_without_boot_ids_has_the_time_of_its_start(monkeypatch):
    assert len(platform.boot_id()) == 36
    missing(monkeypatch, "/proc/sys/kernel/random/boot_id")
    assert int(platform.boot_id()) > 1e9


def test_cores_without_an_affinity_mask_are_all_of_them(monkeypatch):
    assert platform.usable_cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert platform.usable_cores() == os.cpu_count()


@pytest.mark.parametrize(("text", "cores"), [("150000 100000\n", 1), ("400000 100000\n", 4), ("max 100000\n", None)])
def test_quota_of_a_container(monkeypatch, text, cores):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert platform.core_quota() == cores


def test_name_of_the_processor_on_macos(macos, monkeypatch):
    missing(monkeypatch, "/proc/cpuinfo")
    done = types.SimpleNamespace(stdout="Apple M2\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert platform.processor_name() == "Apple M2"


def test_name_of_the_processor_elsewhere(windows, monkeypatch):
    missing(monkeypatch, "/proc/cpuinfo")
    monkeypatch.setattr(platform.platform, "processor", lambda: "Intel64 Family 6")
    assert platform.processor_name() == "Intel64 Family 6"


def test_windows_prints_utf8_into_pipes(windows, monkeypatch):
    told = []
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, types.SimpleNamespace(reconfigure=lambda **given: told.append(given)))
    platform.speak_utf8()
    assert told == [{"encoding": "utf-8", "errors": "replace"}] * 2


def test_python_3_14_is_asked_not_to_evaluate_annotations(monkeypatch):
    def function(a: int, b: str = "x") -> None: ...

    assert list(platform.parameters(function)) == ["a", "b"]
    given = {}

    def signature(function, **options):
        given.update(options)
        return types.SimpleNamespace(parameters={"a": 0})

    monkeypatch.setattr("inspect.signature", signature)
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    library = types.SimpleNamespace(Format=types.SimpleNamespace(FORWARDREF="forward"))
    monkeypatch.setitem(sys.modules, "annotationlib", library)
    assert platform.parameters(function) == {"a": 0} and given == {"annotation_format": "forward"}


def test_a_descriptor_is_kept_from_children_and_closed_once():
    program = """
import os
from hpsearch.base import platform
kept = os.open(os.devnull, os.O_RDONLY)
platform.close_in_children(kept)
if os.fork() == 0:
    again = os.open(os.devnull, os.O_RDONLY)
    if os.fork() == 0:
        os.fstat(again)
        print(again == kept, flush=True)
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
os.fstat(kept)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
