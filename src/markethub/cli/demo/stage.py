"""Where the demo plays: a sandbox exchange, a hub that takes it for the real ones, and a folder."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from markethub.cli.demo.processes import Child, running_child
from markethub.client import DataHub
from markethub.domain.errors import MarketHubError, UnavailableError

TOKEN_FILE = "admin.token"  # noqa: S105  (a file's name)
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Stage:
    """Both processes run and answer; ``started_ms`` is how long that took."""

    folder: Path
    sandbox_url: str
    hub_url: str
    hub: DataHub
    started_ms: int
    children: tuple[Child, ...]
    child_ended: threading.Event

    def check(self) -> None:
        """UnavailableError with the end of its log, if one of the processes has ended."""
        for child in self.children:
            child.check()

    def wait(self) -> None:
        """Block until one of the processes ends, and raise what ``check`` raises."""
        self.child_ended.wait()
        while True:
            self.check()
            time.sleep(0.05)  # its output has ended, so will it


@contextmanager
def open_stage(folder: Path | None, hub_port: int) -> Iterator[Stage]:
    """Start sandbox and hub, and end them, whatever happens; without ``folder`` in one that is removed then.

    An error while a process is gone becomes the error that this process is gone. SIGTERM and SIGHUP leave by
    SystemExit, so that they clean up as well.
    """
    with ExitStack() as stack:
        stack.enter_context(_leaving_on_signals())
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="markethub-demo-")))
        else:
            _make_private(folder)
        folder = folder.resolve()
        began_s = time.monotonic()
        ended = threading.Event()
        sandbox = stack.enter_context(
            running_child("the sandbox", ["sandbox", "--port", "0"], folder / "sandbox.log", ended)
        )
        sandbox_url = sandbox.wait_until_listening()
        config = _write_config(folder, sandbox_url)
        hub = stack.enter_context(
            running_child(
                "the hub",
                ["serve", "--config", str(config), "--data-dir", str(folder), "--port", str(hub_port)],
                folder / "hub.log",
                ended,
            )
        )
        hub_url = hub.wait_until_listening()
        client = stack.enter_context(DataHub(hub_url, _read_token(folder / TOKEN_FILE)))
        started_ms = round(1000 * (time.monotonic() - began_s))
        stage = Stage(folder, sandbox_url, hub_url, client, started_ms, (sandbox, hub), ended)
        try:
            yield stage
        except MarketHubError:
            stage.check()
            raise


@contextmanager
def _leaving_on_signals() -> Iterator[None]:
    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UnavailableError(f"the folder {folder} cannot be written")


def _write_config(folder: Path, sandbox_url: str) -> Path:
    """A configuration of its own, so that no markethub.toml nearby changes the play."""
    config = folder / "demo.toml"
    config.write_text(
        "# Written by `markethub demo`: its sandbox plays the exchanges.\n"
        f'[venues.BNC]\nbase_url = "{sandbox_url}"\narchive_url = "{sandbox_url}"\n'
        f'[venues.OKX]\nbase_url = "{sandbox_url}"\n'
        f'[venues.GIO]\nbase_url = "{sandbox_url}/api/v4"\n',
        encoding="utf-8",
    )
    return config


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise UnavailableError(f"the hub left no token in {path}: {error.strerror}") from error
