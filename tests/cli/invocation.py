"""Ways to run the command line: here, as a process, on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "markethub.cli")
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def table(self) -> list[list[str]]:
        """The tab-separated rows below the header."""
        return [line.split("\t") for line in self.out.splitlines()[1:]]


Run = Callable[..., Outcome]


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's variables without any setting of MarketHub but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKETHUB_")}
    measuring = os.environ.get("KEPT_COVERAGE_PROCESS_CONFIG")  # what tests/conftest.py took from all others
    return clean | ({"COVERAGE_PROCESS_CONFIG": measuring} if measuring else {}) | extra


def run_process(*arguments: str, cwd: Path, **extra: str) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end, its output in pipes."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=clean_environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def run_on_terminal(arguments: Sequence[str], cwd: Path, **extra: str) -> tuple[int, str]:
    """Run one command on a terminal of its own, 120 columns wide; its exit code and all that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=clean_environment(TERM="xterm", COLUMNS="120", **extra),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = bytearray()
    end_s = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < end_s:
            ready, _, _ = select.select([ours], [], [], 1.0)
            if not ready:
                continue
            try:
                part = os.read(ours, 65_536)
            except OSError:  # Linux says so when the last process has closed the other end
                break
            shown += part
    finally:
        os.close(ours)
        if process.poll() is None and time.monotonic() >= end_s:
            process.kill()
    return process.wait(10), shown.decode()
