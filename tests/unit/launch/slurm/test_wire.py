"""Connections between machines: who does not know the token is heard by nobody, and nothing on the way is changed."""

import pickle
import queue
import socket
import stat
import struct
import threading

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.launch.slurm import wire
from hpsearch.launch.slurm.agent import ABOUT, JOB, About
from hpsearch.launch.slurm.jobs import ANY_PORT, Listener
from hpsearch.launch.slurm.wire import Refused, Wire, write_token
from hpsearch.launch.versions import Facts

TOKEN = bytes(range(32))


def both(token=TOKEN, theirs=TOKEN):
    """Return what becomes of the two ends of a connection: a Wire, or what was raised."""
    ends, made = _pair(), queue.SimpleQueue()

    def accept():
        try:
            made.put(Wire.accepted(ends[0], token))
        except Refused as error:
            ends[0].close()
            made.put(error)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        ours = Wire.connected(ends[1], theirs)
    except Refused as error:
        ends[1].close()
        ours = error
    thread.join()
    return made.get(), ours, ends


def _pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = socket.create_connection(server.getsockname())
        return server.accept()[0], calls


def test_frames_arrive_as_they_were_sent_both_ways():
    driver, worker, _ = both()
    sent = [(7, b"e", b"x" * 3_000_000), (JOB, b"n", b""), (0, b"h", bytes(range(256)))]
    thread = threading.Thread(target=lambda: [driver.send(*frame) for frame in sent])
    thread.start()
    assert [worker.receive() for _ in sent] == sent
    thread.join()
    worker.send(1, b"r")
    assert driver.receive() == (1, b"r", b"")
    worker.close()
    assert driver.receive() is None
    driver.close()


@pytest.mark.parametrize("other", [bytes(32), TOKEN[:-1], TOKEN[1:]])
def test_another_token_is_refused_at_both_ends(other):
    driver, worker, _ = both(theirs=other)
    assert isinstance(driver, Refused) and isinstance(worker, Refused)


def test_a_driver_that_does_not_know_the_token_is_refused_too():
    """Such a one lets everybody in, and cannot answer."""
    listener, calls = _pair()
    with listener, calls:
        listener.sendall(bytes(32) + bytes(32))
        with pytest.raises(Refused):
            Wire.connected(calls, TOKEN)


def test_what_a_worker_proves_is_no_proof_of_a_driver():
    """Whoever sends back what it was sent, in both roles, proves nothing."""
    listener, calls = _pair()
    with listener, calls:
        thread = threading.Thread(
            target=lambda: (listener.sendall(bytes(32)), listener.sendall(listener.recv(64)[32:]))
        )
        thread.start()
        with pytest.raises(Refused):
            Wire.connected(calls, TOKEN)
        thread.join()


def frames(*sent):
    """Return the bytes of frames, and the end that reads them, whose connection is ours to write to."""
    driver, worker, ends = both()
    for frame in sent:
        driver.send(*frame)
    size = sum(wire._HEADER.size + len(payload) + 2 * wire._TAG_BYTES for _, _, payload in sent)
    data = bytearray()
    while len(data) < size:
        data += ends[1].recv(size - len(data))
    return data, worker, driver, ends


@pytest.mark.parametrize("place", [0, 4, 5, 20, 46, 60, 80])
def test_a_changed_bit_ends_the_connection(place):
    data, worker, driver, ends = frames((7, b"e", b"payload"))
    data[place] ^= 1
    ends[0].sendall(data)
    ends[0].shutdown(socket.SHUT_WR)
    assert worker.receive() is None
    driver.close()
    worker.close()


@pytest.mark.parametrize("change", ["repeated", "left out", "reordered", "sent back"])
def test_whole_frames_cannot_be_moved(change):
    data, worker, driver, ends = frames((7, b"e", b"one"), (7, b"e", b"two"))
    one, two = data[: len(data) // 2], data[len(data) // 2 :]
    if change == "sent back":
        ends[1].sendall(one)
        assert driver.receive() is None
    else:
        ends[0].sendall({"repeated": one + one, "left out": two, "reordered": two + one}[change])
        ends[0].shutdown(socket.SHUT_WR)
        assert worker.receive() == ((7, b"e", b"one") if change == "repeated" else None)
        assert worker.receive() is None
    driver.close()
    worker.close()


def test_the_token_is_of_256_bits_in_a_file_that_nobody_else_reads(tmp_path):
    token = write_token(tmp_path / "token")
    assert (tmp_path / "token").read_bytes() == token and len(token) == 32
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert token != write_token(tmp_path / "other")


def test_nothing_is_unpickled_of_a_stranger_and_who_is_silent_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(wire, "_GREET_SEC", 5.0)
    taken = queue.SimpleQueue()
    listener = Listener("127.0.0.1", ANY_PORT, TOKEN, lambda wire, about: taken.put((wire, about)))
    address = ("127.0.0.1", listener.port)
    silent, stranger = socket.create_connection(address), socket.create_connection(address)
    pickled = pickle.dumps(About(0, Facts("stranger", {})))
    stranger.sendall(bytes(64) + struct.pack("<IcQ", JOB, ABOUT, len(pickled)) + bytes(32) + pickled + bytes(32))
    with stranger:
        left = b"".join(iter(lambda: _rest(stranger), b""))
        assert len(left) <= 32  # its question, and no answer
    known = Wire.connected(socket.create_connection(address), TOKEN)
    known.send(JOB, ABOUT, pickle.dumps(About(3, Facts("node", {}))))
    wire_of_driver, about = taken.get(timeout=30)
    assert about == About(3, Facts("node", {})) and taken.empty()
    for each in (known, wire_of_driver, listener, silent):
        each.close()


def _rest(connection):
    try:
        return connection.recv(1000)
    except ConnectionError:
        return b""


def test_an_address_that_this_machine_does_not_have_is_refused_in_a_line():
    with pytest.raises(ConfigError, match=r"^launcher\.address=192\.0\.2\.1 launcher\.port=0: cannot be lis"):
        Listener("192.0.2.1", ANY_PORT, TOKEN, print)
