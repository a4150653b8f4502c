"""A hub as `markethub serve` runs it, with the sandbox as its venues."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from markethub.app import open_hub
from markethub.config import ServerSettings, Settings
from markethub.sandbox import SandboxSettings, running_sandbox
from markethub.services.hub import Hub
from tests.sandbox_keys import write_keys

_NO_LIMITS = SandboxSettings(
    weight_per_minute=None,
    raw_requests_per_5_minutes=None,
    okx_limits_enforced=False,
    gate_requests_per_10_s=None,
    orders_per_account=60,
    transfers_per_account=30,
)


@asynccontextmanager
async def open_sandbox_hub(folder: Path) -> AsyncIterator[Hub]:
    """The hub, its data in ``folder``; it has accounts and some subscriptions."""
    async with running_sandbox(_NO_LIMITS) as sandbox:
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
