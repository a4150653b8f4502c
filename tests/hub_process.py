"""Our own processes, to be started, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from markethub import DataHub
from markethub.domain.errors import UnavailableError

START_S = 120.0


def _clean_environment(extra: dict[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKETHUB_")}
    return clean | extra


def start_command(arguments: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start ``markethub`` with the arguments, its output appended to ``log``, no settings but those given."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "markethub.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_clean_environment(environment),
        )


@contextmanager
def running_sandbox_process(log: Path) -> Iterator[str]:
    """The address of a sandbox without limits, in a process of its own."""
    process = start_command(["sandbox", "--port", "0", "--no-limits"], log, {})
    try:
        end_s = time.monotonic() + START_S
        while "listens on http" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end_s, log.read_text()
            time.sleep(0.05)
        yield next(word.rstrip(";") for word in log.read_text().split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class HubProcess:
    """A hub that can be started, killed and started again on the same data."""

    data_dir: Path
    sandbox_url: str
    settings: dict[str, str] = field(default_factory=dict)
    config: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return self.data_dir.with_suffix(".log")

    def launch(self) -> None:
        """Start without waiting until it serves."""
        (self.data_dir / "server.json").unlink(missing_ok=True)
        venue = {
            "MARKETHUB_VENUES__BNC__BASE_URL": self.sandbox_url,
            "MARKETHUB_VENUES__BNC__ARCHIVE_URL": self.sandbox_url,
            "MARKETHUB_VENUES__OKX__BASE_URL": self.sandbox_url,
            "MARKETHUB_VENUES__GIO__BASE_URL": f"{self.sandbox_url}/api/v4",
            # default jobs would come and go as the clock has it
            "MARKETHUB_SCHEDULER__ENABLED": "false",
        }
        arguments = ["serve", "--data-dir", str(self.data_dir), "--port", "0"]
        arguments += [] if self.config is None else ["--config", str(self.config)]
        self.process = start_command(arguments, self.log, venue | self.settings)

    def wait_until_ready(self) -> None:
        end_s = time.monotonic() + START_S
        while True:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < end_s, self.log.read_text()[-4000:]
            if (self.data_dir / "server.json").exists():
                try:
                    with self.client() as client:
                        client.series()
                except UnavailableError:
                    pass
                else:
                    return
            time.sleep(0.02)

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    @property
    def url(self) -> str:
        """Where it listens; another port after every start."""
        return str(json.loads((self.data_dir / "server.json").read_bytes())["url"])

    def client(self) -> DataHub:
        return DataHub(self.url, (self.data_dir / "admin.token").read_text())

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End politely and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)
