"""A hub in this process, fed by a sandbox on a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from markethub.app import open_hub
from markethub.config import Settings
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.services.hub import Hub


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings()) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, sandbox: RunningSandbox) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        venues={
            "BNC": {"base_url": sandbox.url, "archive_url": sandbox.url},
            "OKX": {"base_url": sandbox.url},
            "GIO": {"base_url": f"{sandbox.url}/api/v4"},
        },
        subscriptions={"BNC": ["BTC_USDT", "ETH_USDT"]},
    )


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with open_hub(settings) as opened:
        yield opened
