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


@asynccontextmanager
async def _open_hub(folder: Path) -> AsyncIterator[Hub]:
    no_limits = SandboxSettings(weight_per_minute=None, raw_requests_per_5_minutes=None)
    async with running_sandbox(no_limits) as sandbox:
        settings = Settings(
            data_dir=folder,
            server=ServerSettings(drain_s=0),
            venues={"BNC": {"base_url": sandbox.url, "archive_url": sandbox.url}},
            subscriptions={"BNC": ["BTC_USDT", "ETH_USDT"], "OKX": ["BTC_USDT"]},
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
