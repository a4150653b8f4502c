"""SIGHUP and ``markethub reload``: jobs change while the hub runs, and a wrong file changes nothing."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub_process import HubProcess

GOOD = """
[scheduler]
default_jobs = false
[jobs.mine]
type = "symbol"
category = "sync"
cron = "0 3 * * *"
"""


def reload(hub: HubProcess, told: str) -> None:
    """Run the command, and wait until the hub's log says ``told`` once more."""
    before = hub.log.read_text().count(told)
    command = [sys.executable, "-m", "markethub.cli", "reload", "--data-dir", str(hub.data_dir)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=hub.data_dir)
    end_s = time.monotonic() + 60
    while hub.log.read_text().count(told) == before:
        assert time.monotonic() < end_s, hub.log.read_text()[-4000:]
        time.sleep(0.05)


def schedules(hub: HubProcess) -> dict[str, str | None]:
    with hub.client() as client:
        return {job["name"]: job["schedule"] for job in client.list_jobs("sync")["data"] if job["enabled"]}


@pytest.mark.timeout(180)
def test_a_changed_file_counts_when_told(
    hub_process: Callable[[str], HubProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the hub looks for its configuration file
    file = tmp_path / "markethub.toml"
    file.write_text(GOOD)
    hub = hub_process("reloaded")
    hub.start()
    assert schedules(hub) == {"mine": "0 3 * * *"}
    file.write_text(GOOD.replace("0 3", "0 4"))
    reload(hub, "the configuration was reloaded")
    assert schedules(hub) == {"mine": "0 4 * * *"}
    file.write_text(GOOD.replace("0 3", "0 99"))
    reload(hub, "the configuration was not reloaded")
    assert "setting jobs.mine.cron '0 99 * * *': bad hour" in hub.log.read_text()
    file.write_text("[jobs")
    reload(hub, "the configuration was not reloaded")
    assert schedules(hub) == {"mine": "0 4 * * *"}
    file.write_text("[workers]\nconcurrency = 3\n[scheduler]\ndefault_jobs = true\n")
    reload(hub, "the configuration was reloaded")
    assert "a changed setting counts after a restart only" in hub.log.read_text()
    assert "workers.concurrency" in hub.log.read_text()
    now = schedules(hub)
    assert "mine" not in now
    assert now["sync_klines_1h"] == "0 * * * *"
    assert hub.stop() == 0
