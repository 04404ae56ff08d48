import os
import re

import pytest

from hpsearch.base.files import LOG
from hpsearch.launch.output import LimitedFile, Output, new_mark, write_mark

LIMIT = 10_000


def lines(numbers) -> bytes:
    return b"".join(b"line %d\n" % number for number in numbers)


def written(path, *pieces, limit=LIMIT) -> bytes:
    file = LimitedFile(path, limit)
    for piece in pieces:
        file.write(piece)
    file.close()
    return path.read_bytes()


def test_what_fits_is_kept_as_it_is(tmp_path):
    text = lines(range(1000))
    assert len(text) < LIMIT
    assert written(tmp_path / "new" / "log", text[:777], text[777:]) == text


@pytest.mark.parametrize("size", [10, 100, 4096, 1 << 16, 10**9])
def test_of_a_long_one_whole_lines_at_both_ends_are_kept_and_what_is_missing_is_counted(tmp_path, size):
    text = lines(range(20_000))
    kept = written(tmp_path / "log", *(text[i : i + size] for i in range(0, len(text), size)))
    head, count, tail = re.split(rb"\[\.\.\. (\d+) bytes are left out here \.\.\.\]\n", kept)
    assert text.startswith(head) and head.endswith(b"\n") and text.endswith(tail) and tail.startswith(b"line ")
    assert len(head) + int(count) + len(tail) == len(text)
    assert 0.95 * LIMIT < len(kept) < LIMIT + 100


def test_a_file_never_grows_far_beyond_its_limit(tmp_path):
    file, path = LimitedFile(tmp_path / "log", LIMIT), tmp_path / "log"
    for number in range(5000):
        file.write(b"x" * 99 + b"\n" if number % 2 else b"y" * 100)
        assert path.stat().st_size <= 1.5 * LIMIT + 200
    file.close()


def test_one_that_goes_on_knows_what_is_missing_already(tmp_path):
    text = lines(range(30_000))
    parts = [text[:90_000], text[90_000:90_001], text[90_001:]]
    for part in parts:
        kept = written(tmp_path / "log", part)
    head, count, tail = re.split(rb"\[\.\.\. (\d+) bytes are left out here \.\.\.\]\n", kept)
    assert text.startswith(head) and text.endswith(tail)
    assert len(head) + int(count) + len(tail) == len(text)


@pytest.mark.parametrize("text", [b"x" * 50_000, b"\r".join(b"%d %%" % i for i in range(20_000)) + b"\nend"])
def test_text_without_lines_is_cut_anywhere(tmp_path, text):
    kept = written(tmp_path / "log", text)
    assert 0.9 * LIMIT < len(kept) < LIMIT + 100
    assert text.startswith(kept[:1000]) and text.endswith(kept[-1000:])


class Worker:
    """The writing end of a pipe, as a worker's standard error."""

    def __init__(self, folder, limit=LIMIT):
        reader, self.fd = os.pipe()
        self.mark = new_mark()
        self.output = Output(reader, self.mark, folder / "worker.log", limit)

    def turn_to(self, folder="", begins=True):
        write_mark(self.fd, self.mark, str(folder), bool(folder) and begins)

    def end(self):
        os.close(self.fd)
        self.output.join(10)


def test_every_line_finds_its_trial(tmp_path):
    worker = Worker(tmp_path)
    odd = tmp_path / "a b\nü"
    os.write(worker.fd, b"before\n")
    for folder, text in ((tmp_path / "one", b"first\0"), (odd, b"second"), (tmp_path / "one", b"third")):
        worker.turn_to(folder)
        os.write(worker.fd, text)
        worker.turn_to()
    os.write(worker.fd, b"after")
    worker.end()
    assert (tmp_path / "worker.log").read_bytes() == b"before\nafter"
    first, goes_on, third = re.split(rb"(\[goes on, .* UTC\]\n)", (tmp_path / "one" / LOG).read_bytes())
    assert (first, third) == (b"first\0", b"third") and goes_on
    assert (odd / LOG).read_bytes() == b"second"


def test_a_mark_may_come_in_pieces(tmp_path):
    worker = Worker(tmp_path)
    whole = b"\0" + b"text\n" + f"{worker.mark}{os.fsencode(tmp_path / 'one').hex()}\n".encode() + b"of one"
    for place in range(len(whole)):
        worker.output._take(whole[place : place + 1])
    worker.end()
    assert (tmp_path / "worker.log").read_bytes() == b"\0text\n" and (tmp_path / "one" / LOG).read_bytes() == b"of one"


def test_a_trial_that_prints_nothing_leaves_nothing(tmp_path):
    worker = Worker(tmp_path)
    worker.turn_to(tmp_path / "one")
    worker.turn_to()
    worker.end()
    assert not list(tmp_path.iterdir())


def test_the_end_of_what_was_printed_is_that_of_the_trial(tmp_path):
    worker = Worker(tmp_path)
    os.write(worker.fd, b"before\n")
    worker.turn_to(tmp_path / "one")
    os.write(worker.fd, b"x" * 5000 + b"the end")
    worker.end()
    assert worker.output.last == "x" * (4096 - 7) + "the end"


def test_a_log_that_cannot_be_written_does_not_hold_the_worker_up(tmp_path):
    (tmp_path / "worker.log").mkdir()
    worker = Worker(tmp_path)
    for _ in range(10):
        os.write(worker.fd, b"x" * 60_000)
    worker.turn_to(tmp_path / "one")
    os.write(worker.fd, b"first")
    worker.end()
    assert (tmp_path / "one" / LOG).read_bytes() == b"first"
