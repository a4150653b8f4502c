"""The quick start, block by block, as a reader would do it; only ports are others."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.markdown_pages import DOCS, Block, read_blocks

_QUICKSTART = DOCS / "quickstart.md"
_SERVERS = {"markethub sandbox": "http://127.0.0.1:11184", "markethub serve": "http://127.0.0.1:11183"}
_LISTENS = re.compile(r"listens on (http://[\d.]+:\d+)")
_START_S = 60.0


@dataclass
class Reader:
    """Someone with terminals in one folder: what one block exports, the later ones have."""

    folder: Path
    addresses: dict[str, str] = field(default_factory=dict)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def do(self, block: Block) -> str:
        """Follow one block; what it printed."""
        text = block.text
        for printed, real in self.addresses.items():
            text = text.replace(printed, real)
        match block.language:
            case "toml":
                (self.folder / "markethub.toml").write_text(text)
            case "python":
                (self.folder / "block.py").write_text(text)
                return self._run(f"{shlex.quote(sys.executable)} block.py", block)
            case "bash" if text in _SERVERS:
                self.addresses[_SERVERS[text]] = self._start(text)
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
        log = self.folder / f"{command.split()[1]}.log"
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
        return clean | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@contextmanager
def _reading(folder: Path) -> Iterator[Reader]:
    reader = Reader(folder)
    try:
        yield reader
    finally:
        for server in reversed(reader.servers):
            server.send_signal(signal.SIGTERM)
            server.wait(60)


@pytest.mark.timeout(300)  # a dozen processes one after the other, on a machine that may be busy
def test_every_block_does_what_it_says(tmp_path: Path) -> None:
    printed = ""
    with _reading(tmp_path) as reader:
        for block in read_blocks(_QUICKSTART):
            if block.language == "text":
                assert printed.strip() == block.text, str(block)
            elif block.language != "console":
                printed = reader.do(block)
        assert set(reader.addresses) == set(_SERVERS.values())
        assert [server.poll() for server in reader.servers] == [None, None]


def test_only_the_installation_is_not_run() -> None:
    (left_out,) = [block for block in read_blocks(_QUICKSTART) if block.language == "console"]
    assert "pip install" in left_out.text


@pytest.mark.parametrize("text", ["exit 3", "false | true", "echo $not_set"])
def test_a_block_that_fails_is_seen(tmp_path: Path, text: str) -> None:
    with pytest.raises(AssertionError, match="quickstart"):
        Reader(tmp_path).do(Block(_QUICKSTART, 1, "bash", text))
