"""What a POST is measured against: one route on the same server that stores its body with one durable insert.

It knows no token, checks nothing, and does nothing afterwards.
"""

import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

_URL = re.compile(r"listens on (\S+)")
_START_S = 30.0


@contextmanager
def running_bare_api(folder: Path) -> Iterator[str]:
    """Its URL, for as long as the block lasts; a process of its own, as the hub is one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_api", str(folder)], stdout=subprocess.PIPE, text=True
    )
    stopper = threading.Timer(_START_S, process.kill)
    stopper.start()
    try:
        assert process.stdout is not None
        found = _URL.search(process.stdout.readline())
        stopper.cancel()
        if found is None:
            raise RuntimeError("the bare API did not start")
        yield found[1]
    finally:
        stopper.cancel()
        process.terminate()
        process.wait()


def create_bare_api(folder: Path) -> FastAPI:
    """The application, its database in ``folder``."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE request (id INTEGER PRIMARY KEY, body TEXT, created_ms INTEGER)")
    lock = threading.Lock()
    app = FastAPI()

    @app.post("/insert")
    def insert(body: dict[str, Any]) -> dict[str, Any]:
        with lock:
            cursor = connection.execute(
                "INSERT INTO request (body, created_ms) VALUES (?, ?)",
                (repr(body), time.time_ns() // 1_000_000),
            )
        return {"execution_id": cursor.lastrowid}

    return app


def _main(folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        print(f"listens on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(create_bare_api(folder), loop="uvloop", log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    os.umask(0o077)
    _main(Path(sys.argv[1]))
