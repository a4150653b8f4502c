"""kill -9 at any moment loses nothing that was acknowledged."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import markethub
from markethub import DataHub
from markethub.replication.digest import digest_store
from tests.hub_process import HubProcess

END = "2024-09-10T11:00:00Z"


def _post_large(client: DataHub, start: str) -> int:
    answer = client.backfill_klines(
        symbols=["ETH_USDT.BNC", "BTC_USDT.BNC"], intervals=["1m", "1h"], start_time=start, end_time=END
    )
    return answer["execution_id"]


def _post_small(client: DataHub, day: int) -> int:
    answer = client.backfill_klines(
        symbols=["SOL_USDT.BNC"],
        intervals=["5m"],
        start_time=f"2024-03-{day:02d}T00:00:00Z",
        end_time=f"2024-03-{day:02d}T12:00:00Z",
    )
    return answer["execution_id"]


def _digest(folder: Path) -> str:
    store = markethub.open(folder)
    try:
        return digest_store(store)
    finally:
        store.close()


def _run_through(hub: HubProcess, start: str, days: list[int]) -> str:
    hub.start()
    with hub.client() as client:
        wanted = [_post_large(client, start), *(_post_small(client, day) for day in days)]
        for execution_id in wanted:
            assert client.wait(str(execution_id), timeout=300)["status"] == "SUCCESS"
    assert hub.stop() == 0
    return _digest(hub.data_dir)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kills", "start"),
    [(2, "2024-08-05T07:00:00Z"), pytest.param(20, "2023-01-05T07:00:00Z", marks=pytest.mark.chaos)],
)
def test_a_killed_server_finishes_by_itself_with_the_same_data(
    hub_process: Callable[[str], HubProcess], kills: int, start: str
) -> None:
    chance = random.Random(kills)
    hub = hub_process("killed")
    hub.start()
    acknowledged: list[int] = []
    days: list[int] = []
    mid_work = 0
    with hub.client() as client:
        acknowledged.append(_post_large(client, start))
    for round_ in range(kills):
        time.sleep(chance.uniform(0.0, 0.5))
        if hub.process is not None and hub.process.poll() is None and (hub.data_dir / "server.json").exists():
            with hub.client() as client:
                days.append(round_ % 28 + 1)
                acknowledged.append(_post_small(client, days[-1]))
                mid_work += client.get_execution(str(acknowledged[0]))["status"] == "RUNNING"
        hub.kill()
        hub.launch()
        if chance.random() < 0.3:  # some kills hit a server that is only starting
            time.sleep(chance.uniform(0.0, 3.0))
        else:
            hub.wait_until_ready()
    assert mid_work, "no kill hit a running backfill: make it larger"
    hub.wait_until_ready()
    with hub.client() as client:
        ended: list[dict[str, Any]] = [
            dict(client.wait(str(execution_id), timeout=600)) for execution_id in acknowledged
        ]
        assert [execution["status"] for execution in ended] == ["SUCCESS"] * len(acknowledged)
        everything = client.list_job_executions(limit=1000)
        assert {int(row["id"]) for row in everything["data"]} >= set(acknowledged)
        assert {row["status"] for row in everything["data"]} == {"SUCCESS"}
    assert hub.stop() == 0
    assert _digest(hub.data_dir) == _run_through(hub_process("whole"), start, days)
