"""A launcher and a tracker that only write down what is asked of them, and raise where a test says so."""


class ScriptedLauncher:
    """Answers `call` with what it is given, in order, raising what is an exception."""

    slots, lockstep, retries, grace_sec, detached = 1, False, 0, 10.0, True

    def __init__(self, log, answers, start=None):
        self.log, self.answers, self.error = log, answers, start

    def start(self, execute):
        self.log.append("start")
        if self.error:
            raise self.error

    def call(self, function, *args, within_sec=None):
        self.log.append("call")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def everywhere(self, function, *args, unlike):
        pass

    def stop(self, now=False):
        self.log.append("kill" if now else "stop")


class ScriptedTracker:
    """Says whether it arrives at each `flush`, in order, and raises at `open` where told to."""

    wait = True

    def __init__(self, log, flushes=(), problem=None, error=None):
        self.log, self.flushes, self._problem, self.error = log, list(flushes), problem, error

    def open(self, folder):
        self.log.append("copy")
        if self.error:
            raise self.error

    def changed(self, names):
        pass

    def flush(self, timeout_sec):
        arrives = self.flushes.pop(0) if self.flushes else False
        if isinstance(arrives, type):
            raise arrives
        return arrives

    def close(self, timeout_sec):
        self.log.append("end copy")
        return True

    def problem(self):
        return self._problem

    def hint(self):
        return None
