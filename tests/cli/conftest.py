"""One sandbox and one hub for all tests of the command line, as processes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from markethub import DataHub
from markethub.cli.main import run
from tests.cli.invocation import Outcome, Run
from tests.hub_process import START_S, HubProcess, start_command
from tests.sandbox_keys import key_variables


@dataclass(frozen=True, slots=True)
class Node:
    """A running hub with two months of real hours of BTC_USDT.BNC, and the exchange it asks."""

    data_dir: Path
    sandbox_url: str
    url: str
    trace_id: str

    def plan_faults(self, *faults: dict[str, object]) -> None:
        httpx2.post(f"{self.sandbox_url}/sandbox/faults", json=list(faults), timeout=60).raise_for_status()

    def reset_sandbox(self) -> None:
        httpx2.post(f"{self.sandbox_url}/sandbox/reset", timeout=60).raise_for_status()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    log = folder / "sandbox.log"
    sandbox = start_command(["sandbox", "--port", "0", "--no-limits"], log, {})
    try:
        end_s = time.monotonic() + START_S
        while "listens on http" not in log.read_text():
            assert sandbox.poll() is None, log.read_text()
            assert time.monotonic() < end_s, log.read_text()
            time.sleep(0.05)
        sandbox_url = next(word.rstrip(";") for word in log.read_text().split() if word.startswith("http://"))
        hub = HubProcess(folder / "data", sandbox_url, key_variables())
        hub.start()
        try:
            with hub.client() as client:
                trace_id, url = _fill(client), _url(hub.data_dir)
            yield Node(hub.data_dir, sandbox_url, url, trace_id)
        finally:
            assert hub.stop() == 0
    finally:
        sandbox.terminate()
        sandbox.wait(20)


def _fill(client: DataHub) -> str:
    queued = client.backfill_klines(
        ["BTC_USDT.BNC"], intervals=["1h"], start_time="2018-01-01", end_time="2018-03-01"
    )
    ended = client.wait(queued["trace_id"], timeout=60)
    assert ended["status"] == "SUCCESS", ended
    return queued["trace_id"]


def _url(data_dir: Path) -> str:
    url = httpx2.URL((data_dir / "server.json").read_text().split('"url":"')[1].split('"')[0])
    return str(url).rstrip("/")


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test may see the developer's own hub, settings or configuration file."""
    for name in ("MARKETHUB_URL", "MARKETHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path / "no_hub_here"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process, through the real entry point."""

    def invoke(*arguments: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["markethub", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            run()
        captured = capsys.readouterr()
        code = left.value.code
        return Outcome(code if isinstance(code, int) else int(code is not None), captured.out, captured.err)

    return invoke


@pytest.fixture
def local(cli: Run, node: Node, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same, for someone whose data folder is the running hub's."""
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(node.data_dir))
    return cli
