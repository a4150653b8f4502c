"""The demo's own MarketHub processes."""

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from markethub.domain.errors import UnavailableError

_LISTENS = re.compile(r"listens on (https?://[^\s,;]+)")
_TOKEN = re.compile(r"mh_[a-z0-9]+_[\w\-]+")
_TAIL_LINES = 20
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0


class Child:
    """One ``markethub`` command in a process of its own; its output goes to ``log``."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, on_end: threading.Event) -> None:
        self.name = name
        self._log = log
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._url: str | None = None
        self._settled = threading.Event()
        self._on_end = on_end
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
            # -P: modules of the working directory are not to be found
            [sys.executable, "-P", "-m", "markethub.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={name: value for name, value in os.environ.items() if not name.startswith("MARKETHUB_")},
            # Ctrl-C reaches the whole group of the terminal, but the order of the end is ours to choose.
            start_new_session=True,
        )
        if self._process.stdout is None:
            raise RuntimeError("a process with a pipe has no pipe")
        self._pump = threading.Thread(target=self._copy, args=(self._process.stdout,), daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _copy(self, output: IO[str]) -> None:
        with output, self._log.open("w", encoding="utf-8") as log:
            for line in output:
                log.write(line)
                log.flush()
                self._tail.append(_TOKEN.sub("mh_...", line.rstrip("\n")))
                if self._url is None and (match := _LISTENS.search(line)):
                    self._url = match[1]
                    self._settled.set()
        self._settled.set()
        self._on_end.set()

    def wait_until_listening(self) -> str:
        """The URL it listens on; UnavailableError with the end of its log if it ends or takes too long."""
        self._settled.wait(_START_TIMEOUT_S)
        if self._url is not None:
            return self._url
        if self._settled.is_set():  # its output has ended, so the process is about to
            self._process.wait(_STOP_TIMEOUT_S)
            self.check()
        raise UnavailableError(f"{self.name} does not listen after {_START_TIMEOUT_S:.0f} s\n{self.tail()}")

    def check(self) -> None:
        """UnavailableError with the end of its log, if it has ended."""
        code = self._process.poll()
        if code is not None:
            self._pump.join(_STOP_TIMEOUT_S)
            raise UnavailableError(f"{self.name} ended by itself with exit code {code}\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log, tokens left out."""
        lines = list(self._tail) or ["(empty)"]
        return "\n".join([f"The end of {self._log}:", *(f"  | {line}" for line in lines)])

    def stop(self) -> None:
        """End it: politely, then by force, at once by force when interrupted."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._pump.join(_STOP_TIMEOUT_S)


@contextmanager
def running_child(name: str, arguments: Sequence[str], log: Path, on_end: threading.Event) -> Iterator[Child]:
    """A child for as long as the block lasts."""
    child = Child(name, arguments, log, on_end)
    try:
        yield child
    finally:
        child.stop()
