"""Sandboxes on ephemeral loopback ports, with a clock that tests move by hand."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson
import pytest

from markethub.domain.times import parse_time
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.listings import SymbolCatalog
from markethub.sandbox.market import Market
from markethub.sandbox.recorded import Recordings


@dataclass
class HandClock:
    """Stands still until a test moves it."""

    now_ms: int = parse_time("2025-03-10T12:34:20Z")

    def __call__(self) -> int:
        return self.now_ms

    def set(self, text: str) -> None:
        self.now_ms = parse_time(text)


@dataclass
class Reply:
    """One finished HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - any JSON document
        return orjson.loads(self.body)


class Browser:
    """Asks one running sandbox."""

    def __init__(self, sandbox: RunningSandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self._session = session

    async def get(self, path: str, headers: dict[str, str] | None = None, **query: object) -> Reply:
        parameters = {name: str(value) for name, value in query.items()}
        url = self.sandbox.url + path
        async with self._session.get(url, params=parameters, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())

    async def post(self, path: str, value: object) -> Reply:
        async with self._session.post(self.sandbox.url + path, data=orjson.dumps(value)) as response:
            return Reply(response.status, response.headers, await response.read())

    async def klines(self, symbol: str, interval: str, **query: object) -> list[list[Any]]:
        reply = await self.get("/api/v3/klines", None, symbol=symbol, interval=interval, **query)
        assert reply.status == 200, reply.body
        rows: list[list[Any]] = reply.json()
        return rows


class StartSandbox(Protocol):
    """Start a sandbox, by default on the test's clock, and return a browser for it."""

    async def __call__(self, settings: SandboxSettings | None = None) -> Browser: ...


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def browse(clock: HandClock) -> AsyncIterator[StartSandbox]:
    async with AsyncExitStack() as stack:

        async def start(settings: SandboxSettings | None = None) -> Browser:
            sandbox = await stack.enter_async_context(
                running_sandbox(settings or SandboxSettings(clock=clock))
            )
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Browser(sandbox, session)

        yield start


@pytest.fixture(scope="session")
def market() -> Market:
    return Market(7, SymbolCatalog(), Recordings.load())
