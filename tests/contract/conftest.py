"""A hub as `markethub serve` runs it, with the sandbox as its venue."""

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
    folder = tmp_path_factory.mktemp("contract")
    with served_hub(lambda: _open_hub(folder)) as served:
        yield served


@pytest.fixture(scope="session")
def client(served: ServedHub) -> Iterator[DataHub]:
    with DataHub(served.url, served.tokens["admin"]) as client:
        yield client
