"""A hub with some of everything, and MCP clients of the official SDK on both transports."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from markethub import DataHub
from markethub.control.jobs import JobSpec, ensure_jobs
from markethub.services.hub import Hub
from tests.api.served_hub import ServedHub, served_hub
from tests.sandbox_hub import open_sandbox_hub

OpenClient = Callable[[str], AbstractAsyncContextManager[Client]]
"""Opens a client with the token of a scope."""


@asynccontextmanager
async def _open_hub(folder: Path) -> AsyncIterator[Hub]:
    async with open_sandbox_hub(folder) as hub:
        async with hub.database.begin() as connection:
            await ensure_jobs(connection, [JobSpec("sync_klines_1h", "kline", "sync", "")], hub.clock())
        yield hub


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    folder = tmp_path_factory.mktemp("mcp")
    with served_hub(lambda: _open_hub(folder)) as served:
        yield served


@pytest.fixture(scope="session")
def filled(served: ServedHub) -> str:
    """The trace id of a backfill that has ended: two weeks of hours."""
    with DataHub(served.url, served.tokens["admin"]) as client:
        queued = client.backfill_klines(
            ["BTC_USDT.BNC"], intervals=["1h"], start_time="2018-01-01", end_time="2018-01-15"
        )
        assert client.wait(queued["trace_id"], timeout=60)["status"] == "SUCCESS"
    return queued["trace_id"]


@asynccontextmanager
async def open_http(url: str, token: str, mode: str = "auto") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, verify=False, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def open_stdio(*arguments: str, **environment: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "markethub.cli", "mcp", *arguments], env=environment
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


@pytest.fixture(params=["http", "http of 2025", "stdio"])
def over_each_transport(request: pytest.FixtureRequest, served: ServedHub) -> OpenClient:
    def open_client(scope: str) -> AbstractAsyncContextManager[Client]:
        token = served.tokens[scope]
        match request.param:
            case "http":
                return open_http(served.url, token)
            case "stdio":
                return open_stdio("--url", served.url, MARKETHUB_TOKEN=token)
        return open_http(served.url, token, "legacy")

    return open_client


@pytest.fixture
def over_http(served: ServedHub) -> OpenClient:
    return lambda scope: open_http(served.url, served.tokens[scope])
