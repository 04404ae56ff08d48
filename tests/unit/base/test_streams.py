"""Streams that take everything, and signs that are spelled where an encoding lacks them."""

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hpsearch.base import streams
from hpsearch.base.printed import say
from hpsearch.base.streams import Forgiving
from hpsearch.progress.console import make_console

ROOT = Path(__file__).resolve().parents[3]


def run(script, redirection="", **environ):
    """Run Python whose streams are settled, by a shell that redirects them."""
    text = f"from hpsearch.base import streams; streams.settle(); import os, sys; {script}"
    command = f'"$0" -c "$1" {redirection}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, text],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        cwd=ROOT,
        check=False,
    )


PRINT = "print('x' * 100000); print('an error', file=sys.stderr); sys.stdout.flush(); sys.exit(5)"
LOST = "; print(streams.why_lost(), file=sys.stderr); sys.exit(5)"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "redirection",
    [">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>&1", "| head -c 1; exit ${PIPESTATUS[0]}"],
)
def test_a_program_goes_on_to_its_own_end_whatever_its_streams_are(redirection, unbuffered):
    done = run(PRINT, redirection, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 5
    assert done.stderr in (b"", b"an error\n")


@pytest.mark.parametrize(
    ("redirection", "why"),
    [("", ""), (">&-", ""), ("| head -c 1", ""), (">/dev/full", os.strerror(errno.ENOSPC))],
)
def test_what_nobody_wanted_is_not_lost(redirection, why):
    done = run("print('x' * 100000); sys.stdout.flush()" + LOST, redirection)
    assert done.stderr.decode() == f"{why}\n"


def test_a_pipe_of_ours_never_gets_the_number_of_a_closed_stream():
    done = run("os.write(2, repr(os.pipe()[0] > 2).encode()); print('lost'); sys.stdin.read(1)", "<&- >&-")
    assert (done.returncode, done.stderr) == (0, b"True")


def test_all_of_it_is_written_where_writing_does_not_wait():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    found = []

    def read():
        with os.fdopen(reading, "rb") as pipe:
            found.append(pipe.read())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    raw = streams._Descriptor(writing, "wb")
    assert raw.write(b"x" * 3_000_000) == 3_000_000
    raw.close()
    reader.join(20)
    assert raw.lost is None
    assert found == [b"x" * 3_000_000]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("ascii", "0.9 +- 0.1, 2^2 -> 4 ... \\u6570"),
        ("latin-1", "0.9 ± 0.1, 2² -> 4 ... \\u6570"),
        ("utf-8", "0.9 ± 0.1, 2² → 4 … 数"),
    ],
)
def test_signs_that_an_encoding_lacks_are_spelled(encoding, text):
    done = run("print('0.9 ± 0.1, 2² → 4 … 数')", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.stdout.decode(encoding) == f"{text}\n"
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    say("0.9 ± 0.1, 2² → 4 … 数", stream)
    make_console(stream).print("±")
    said = stream.buffer.getvalue().decode(encoding)
    assert said == f"{text}\n{'+-' if encoding == 'ascii' else '±'}\n"


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [Broken(), closed(), None])
def test_a_stream_of_somebody_elses_is_forgiven(stream):
    out = Forgiving(stream)
    assert out.write("text") == 4
    out.flush()
    assert not out.isatty()
