"""Someone who follows a page word by word, in one folder, with as many terminals as it takes."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.markdown_pages import Block

_LISTENS = re.compile(r"listens on (http://[\d.]+:\d+)")
_FILE_NAME = re.compile(r"# (\S+\.toml)\n")
_START_S = 60.0


@dataclass
class Reader:
    """What one block exports, the later ones have; only addresses are others than the page says.

    ``server_commands`` are the blocks that start a server and go on; they get a free port. ``stands_for``
    are texts of the page and what they are here. ``settings`` are variables that the page does not name.
    """

    folder: Path
    server_commands: Collection[str]
    stands_for: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def do(self, block: Block) -> str:
        """Follow one block; what it printed, or where the server that it started listens."""
        text = block.text
        for printed, real in self.stands_for.items():
            text = text.replace(printed, real)
        match block.language:
            case "toml":
                named = _FILE_NAME.match(text)
                (self.folder / (named[1] if named else "markethub.toml")).write_text(text)
            case "python":
                (self.folder / "block.py").write_text(text)
                return self._run(f"{shlex.quote(sys.executable)} block.py", block)
            case "bash" if block.text in self.server_commands:
                return self._start(text)
            case "bash":
                return self._run(text, block)
            case other:
                raise AssertionError(f"{block}: no reader knows what to do with {other}")
        return ""

    def _run(self, text: str, block: Block) -> str:
        script = f"test ! -f exported || source ./exported\n{text}\nexport -p > exported"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            check=False,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _start(self, command: str) -> str:
        log = self.folder / f"server{len(self.servers)}.log"
        script = f"test ! -f exported || source ./exported\nexec {command} --port 0"
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.servers.append(server)
        end_s = time.monotonic() + _START_S
        while (found := _LISTENS.search(log.read_text())) is None:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end_s, log.read_text()
            time.sleep(0.02)
        return found[1]

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKETHUB_")}
        return clean | self.settings | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@contextmanager
def ending_servers(reader: Reader) -> Iterator[Reader]:
    """Stop all that the reader has started, at the end."""
    try:
        yield reader
    finally:
        for server in reversed(reader.servers):
            server.send_signal(signal.SIGTERM)
            server.wait(60)
