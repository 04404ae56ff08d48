"""A proxy in front of an MLflow server that answers some requests as servers and gateways in trouble do."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<html><body>Bad gateway</body></html>"
HANG_SEC = 1.2


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy: Proxy = self.server  # type: ignore[assignment]
        fault = proxy.drawn()
        try:
            (TROUBLES[fault] if fault else _pass)(self, body)
        except (OSError, http.client.HTTPException):  # the client has gone, or the server has
            self.close_connection = True

    def forward(self, body: bytes) -> tuple[int, str, bytes]:
        """Return what the server answers."""
        kept = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")}
        target: int = self.server.target  # type: ignore[attr-defined]
        with closing(http.client.HTTPConnection("127.0.0.1", target, timeout=30)) as connection:
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", "application/json"), answer.read()

    def answer(
        self, status: int, content: bytes, kind: str = "text/html", length: int | None = None, **more: str
    ) -> None:
        """Answer; with another length than the content has, it is cut off."""
        self.send_response(status)
        for key, value in {"Content-Type": kind, **more}.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection |= length is not None


def _pass(handler: _Handler, body: bytes) -> None:
    status, kind, content = handler.forward(body)
    handler.answer(status, content, kind)


def _half(handler: _Handler, body: bytes) -> None:
    _, kind, content = handler.forward(body)
    handler.answer(200, content[: len(content) // 2], kind, len(content) + 10)


def _lost(handler: _Handler, body: bytes) -> None:
    handler.forward(body)
    handler.close_connection = True


def _hang(handler: _Handler, body: bytes) -> None:
    time.sleep(HANG_SEC)
    _lost(handler, body)


def _refuse(handler: _Handler, body: bytes) -> None:
    del body
    handler.close_connection = True


CODES = (400, 403, 404, 413, 429, 500, 502, 503)
TROUBLES: dict[str, Callable[[_Handler, bytes], None]] = {
    **{str(code): lambda handler, _, code=code: handler.answer(code, HTML) for code in CODES},
    "html": lambda handler, _: handler.answer(200, HTML),
    "garbage": lambda handler, _: handler.answer(200, bytes(range(256)), "application/json"),
    "redirect": lambda handler, _: handler.answer(302, b"", Location="/elsewhere"),
    "half": _half,
    "answer lost": _lost,
    "hang": _hang,
    "closed": _refuse,
}
"""What happens to a request, by name."""


class Proxy(ThreadingHTTPServer):
    """Passes requests on, or not.

    Args:
        target: port of the server.
        seed: of the draws.

    Attributes:
        share: of the requests that go wrong.
        among: the names of the troubles drawn from.
        met: how often each was met.
    """

    daemon_threads = True

    def __init__(self, target: int, seed: int | str = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.share, self.among = target, 0.0, tuple(TROUBLES)
        self.met: dict[str, int] = {}
        self._random = random.Random(seed)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go in the middle of a request."""

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"

    def drawn(self) -> str | None:
        """Return the trouble that a request meets, None for none."""
        fault = self._random.choice(self.among) if self._random.random() < self.share else None
        self.met[str(fault)] = self.met.get(str(fault), 0) + 1
        return fault


@contextmanager
def proxy(target: int, seed: int | str = 0) -> Iterator[Proxy]:
    """Run a proxy beside the block."""
    with Proxy(target, seed) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.shutdown()
            thread.join()
