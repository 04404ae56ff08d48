import contextlib
import os
import threading

import pytest

from hpsearch.launch.frames import read_frame, write_frame


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(end)


def test_frames_come_out_in_order(pipe):
    reader, writer = pipe
    write_frame(writer, b"a", b"one")
    write_frame(writer, b"b")
    assert read_frame(reader) == (b"a", b"one")
    assert read_frame(reader) == (b"b", b"")


def test_frame_larger_than_the_pipe_arrives_whole(pipe):
    reader, writer = pipe
    payload = os.urandom(5_000_000)
    thread = threading.Thread(target=write_frame, args=(writer, b"a", payload))
    thread.start()
    assert read_frame(reader) == (b"a", payload)
    thread.join()


@pytest.mark.parametrize("cut", [0, 3, 9, 12])
def test_stream_that_ends_anywhere_is_an_end(pipe, cut):
    reader, writer = pipe
    scratch_reader, scratch_writer = os.pipe()
    write_frame(scratch_writer, b"a", b"payload")
    os.write(writer, os.read(scratch_reader, 100)[:cut])
    for end in (writer, scratch_reader, scratch_writer):
        os.close(end)
    assert read_frame(reader) is None


def test_write_without_a_reader_raises(pipe):
    reader, writer = pipe
    os.close(reader)
    with pytest.raises(OSError):
        write_frame(writer, b"a", b"payload")
