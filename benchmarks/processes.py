"""The sandbox and the hub as processes of their own, on loopback."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import orjson

_SANDBOX_URL = re.compile(r"listens on (http://\S+?);")
_START_S = 60.0
_STOP_S = 30.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class HubAddress:
    """Where a hub answers, the admin token it made, and its process."""

    url: str
    token: str
    pid: int


@contextmanager
def running_sandbox(folder: Path) -> Iterator[str]:
    """The URL of a sandbox without limits, for as long as the block lasts; its log lies in ``folder``."""
    log = folder / "sandbox.log"
    with _running(["sandbox", "--port", "0", "--no-limits"], log, {}) as process:
        url = ""
        for _ in _looks(process, log):
            if found := _SANDBOX_URL.search(log.read_text()):
                url = found[1]
                break
        yield url


@contextmanager
def running_hub(
    data_dir: Path, venue_url: str, settings: Mapping[str, str] | None = None
) -> Iterator[HubAddress]:
    """A hub on ``data_dir`` whose Binance is at ``venue_url``, for as long as the block lasts.

    ``settings`` are further ones, by their environment variables.
    """
    log = data_dir.with_suffix(".log")
    venue = {
        "MARKETHUB_VENUES__BNC__BASE_URL": venue_url,
        "MARKETHUB_VENUES__BNC__ARCHIVE_URL": venue_url,
        # One token asks more here than anybody should.
        "MARKETHUB_ACCESS__REQUESTS_PER_MINUTE": "0",
        **(settings or {}),
    }
    with _running(["serve", "--data-dir", str(data_dir), "--port", "0"], log, venue) as process:
        registry = data_dir / "server.json"
        for _ in _looks(process, log):
            if registry.exists():  # written in one step, once the socket accepts
                break
        url = orjson.loads(registry.read_bytes())["url"]
        yield HubAddress(url, (data_dir / "admin.token").read_text(), process.pid)


@contextmanager
def _running(
    arguments: Sequence[str], log: Path, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKETHUB_")}
    with _ended_by_sigterm():
        with log.open("wb") as output:
            process = subprocess.Popen(
                # -P: modules of the working directory are not to be found
                [sys.executable, "-P", "-m", "markethub.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**clean, **settings},
                cwd=log.parent,  # a markethub.toml of the working directory is not to be read
                start_new_session=True,  # Ctrl-C is for us; we end our children ourselves
            )
        try:
            yield process
        finally:
            _end(process)


def _looks(process: subprocess.Popen[bytes], log: Path) -> Iterator[None]:
    """Come back again and again until the process should have started; RuntimeError when it has not."""
    end_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end_s:
        yield
        time.sleep(_LOOK_S)
    state = "still starting" if process.returncode is None else f"exit code {process.returncode}"
    raise RuntimeError(f"{log.stem} did not start ({state}); its log ends:\n{log.read_text()[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except BaseException:  # also a second Ctrl-C: it does not outlive us
        process.kill()
        process.wait()
        raise


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack, which it does not by itself, so that children are ended."""

    def leave(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
