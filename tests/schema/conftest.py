"""A hub as `markethub serve` runs it, with the sandbox as its venue, and some of everything stored."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from markethub import DataHub
from markethub.app import open_hub
from markethub.config import ServerSettings, Settings
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.services.hub import Hub
from tests.api.served_hub import ServedHub, served_hub
from tests.sandbox_keys import write_keys
from tests.schema.fuzzing import Caller


@asynccontextmanager
async def _open_hub(folder: Path) -> AsyncIterator[Hub]:
    no_limits = SandboxSettings(
        weight_per_minute=None,
        raw_requests_per_5_minutes=None,
        okx_limits_enforced=False,
        gate_requests_per_10_s=None,
        orders_per_account=60,
        transfers_per_account=30,
    )
    async with running_sandbox(no_limits) as sandbox:
        settings = Settings(
            data_dir=folder / "data",
            server=ServerSettings(drain_s=0),
            venues={
                "BNC": {"base_url": sandbox.url, "archive_url": sandbox.url},
                "OKX": {"base_url": sandbox.url},
                "GIO": {"base_url": f"{sandbox.url}/api/v4"},
            },
            subscriptions={"BNC": ["BTC_USDT", "ETH_USDT"], "OKX": ["BTC_USDT"]},
            accounts=write_keys(folder / "keys"),
        )
        async with open_hub(settings) as hub:
            yield hub


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    folder = tmp_path_factory.mktemp("schema")
    with served_hub(lambda: _open_hub(folder)) as served:
        with DataHub(served.url, served.tokens["admin"]) as client:
            _fill(client)
        yield served


def _fill(client: DataHub) -> None:
    """Put some rows into every table."""
    queued = [
        client.backfill_klines(
            ["BTC_USDT.BNC"], intervals=["1h"], start_time="2018-01-01", end_time="2018-01-15"
        ),
        client.backfill_symbols(["BNC", "OKX", "GIO"]),
        client.backfill_ticker(),
        client.backfill_orderbook(limit=5),
        client.backfill_balances(["OKX_MM01", "BNC_MM01"]),
        client.backfill_orders(["OKX_MM01"]),
        client.backfill_fills(["OKX_MM01"]),
        client.backfill_transfers(["OKX_MM01"]),
    ]
    for one in queued:
        ended = client.wait(one["trace_id"], timeout=100)
        assert ended["status"] == "SUCCESS", ended["error"]


@pytest.fixture(scope="session")
def caller(served: ServedHub) -> Iterator[Caller]:
    caller = Caller(served)
    with caller.session:
        yield caller
