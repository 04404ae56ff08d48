"""What a job passes on, and when."""

import pickle
import queue

import pytest

from hpsearch.base.errors import MachineError
from hpsearch.base.threads import start_thread
from hpsearch.launch.frames import EVENTS, GONE, READY
from hpsearch.launch.slurm.agent import TOKEN, Call, _Agent, main


class Said:
    """A worker and a connection that note what is asked of them, in order."""

    def __init__(self):
        self.calls = queue.SimpleQueue()

    def settle(self, marks):
        self.calls.put(("settle", marks))

    def exit_report(self):
        return "ended with exit code 7"

    def send(self, number, kind, payload=b""):
        self.calls.put((number, kind, payload))


def test_what_a_trial_printed_is_in_its_log_before_its_messages_are_sent():
    said = Said()
    agent = _Agent(said)
    agent._workers[3] = said
    start_thread(agent._tell, name="messages")
    events = pickle.dumps((5, [], False))
    for kind, payload in ((READY, b""), (EVENTS, events), (GONE, b"")):
        agent._inbox.put((said, kind, payload))
    heard = [said.calls.get(timeout=30) for _ in range(4)]
    assert heard == [
        (3, READY, b""),
        ("settle", 5),
        (3, EVENTS, events),
        (3, GONE, b"ended with exit code 7"),
    ]
    assert agent._workers == {}


@pytest.mark.parametrize("missing", ["studies", TOKEN])
def test_a_machine_that_does_not_share_the_folders_says_which(tmp_path, monkeypatch, missing):
    monkeypatch.chdir(tmp_path)
    (tmp_path / TOKEN).write_bytes(bytes(32))
    call = Call(str(tmp_path), "127.0.0.1", 1, 0, str(tmp_path))
    path = tmp_path / missing
    if missing == TOKEN:
        path.unlink()
    else:
        call = Call(str(tmp_path), "127.0.0.1", 1, 0, str(path))
    with pytest.raises(MachineError, match=rf"does not share the driver's folder {path} \(No such file or d"):
        main(call)


def test_a_driver_that_cannot_be_reached_is_named_with_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setattr("hpsearch.launch.slurm.agent._CONNECT_SEC", 0.1)
    monkeypatch.setattr("hpsearch.launch.slurm.agent._AGAIN_SEC", 0.01)
    monkeypatch.chdir(tmp_path)
    (tmp_path / TOKEN).write_bytes(bytes(32))
    with pytest.raises(MachineError, match=r"cannot reach the driver at 127\.0\.0\.1:1 \(.*\): see launcher\.address"):
        main(Call(str(tmp_path), "127.0.0.1", 1, 0, str(tmp_path)))
