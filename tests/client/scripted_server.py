"""A real HTTP server that answers as a test scripts it."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson


@dataclass
class Reply:
    """One scripted answer; with ``declared_length`` the connection closes after the body, promised or not."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    declared_length: int | None = None

    @classmethod
    def error(cls, status: int, code: str, message: str, **headers: str) -> "Reply":
        body = orjson.dumps({"error": {"code": code, "message": message}})
        return cls(status, body, {"Content-Type": "application/json", **headers})

    @classmethod
    def json(cls, value: object) -> "Reply":
        return cls(body=orjson.dumps(value))


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The caller's port, the same for all that came over one connection."""


class ScriptedServer:
    """Answers with ``replies`` in order, the last one again and again; remembers what it was asked."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                reply = script.take(Seen(self.command, self.path, headers, body, self.client_address[1]))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                promised = reply.declared_length
                self.send_header("Content-Length", str(len(reply.body) if promised is None else promised))
                self.end_headers()
                self.wfile.write(reply.body)
                if promised is not None:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = handle_request  # noqa: N815  (the base's names)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the base's name)
                pass

        class Server(ThreadingHTTPServer):
            # With the default of 5, connections that come together wait a second for their second try.
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def take(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
