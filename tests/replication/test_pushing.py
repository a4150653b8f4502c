"""A master tells its slaves of news."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from markethub.domain.errors import NotFoundError, StoreError
from markethub.domain.node import NodeAddress, Role
from markethub.ports.data_store import DataStore
from markethub.replication import pushing
from markethub.replication.link import EPOCH_HEADER, Link
from markethub.replication.pushing import WAKE_PATH, Pusher, SlaveNode
from markethub.replication.reign import Reign
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import BTC, bars_at, minutes
from tests.replication.deaf_master import MASTER

_TOKEN = "a-token-of-the-group-of-tests"


@dataclass
class FakeSlave:
    """Counts how often it was woken; answers when ``free``, and with ``status``."""

    status: int = 200
    epoch: str = "1"
    woken: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    free: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0

    def address(self, name: str) -> NodeAddress:
        return NodeAddress(name, "127.0.0.1", self.port)

    async def wake(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {_TOKEN}"
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.woken.release()
        await self.free.wait()
        self.in_flight -= 1
        return web.json_response({}, status=self.status, headers={EPOCH_HEADER: self.epoch})


@pytest.fixture
async def slave() -> AsyncIterator[FakeSlave]:
    fake = FakeSlave()
    fake.free.set()
    app = web.Application()
    app.router.add_post(WAKE_PATH, fake.wake)
    async with TestServer(app) as server:
        assert server.port is not None
        fake.port = server.port
        yield fake


@pytest.fixture
def store() -> DataStore:
    return MemorySeriesStore()


@pytest.fixture
def reign(store: DataStore) -> Reign:
    return Reign(store, Role.MASTER)


@pytest.fixture
async def link(reign: Reign) -> AsyncIterator[Link]:
    link = Link("master", _TOKEN, reign.tell, reign.hear_text)
    yield link
    await link.close()


@pytest.fixture
async def pusher(store: DataStore, link: Link, slave: FakeSlave) -> AsyncIterator[Pusher]:
    slaves = {
        "backup1": SlaveNode(slave.address("backup1"), enabled=True),
        "disabled": SlaveNode(slave.address("disabled"), enabled=False),
        "away": SlaveNode(NodeAddress("away", "127.0.0.1", 1), enabled=True),
    }
    pusher = Pusher(link, store, slaves, timeout_s=20)
    yield pusher
    await pusher.drain()


def write(store: DataStore, minute: int) -> None:
    store.upsert(BTC, bars_at(minutes(minute, minute + 1))).result()


async def test_a_slave_is_woken_at_the_start_and_by_each_write(
    pusher: Pusher, slave: FakeSlave, store: DataStore
) -> None:
    await pusher.start()
    await asyncio.wait_for(slave.woken.acquire(), 10)
    for minute in range(3):
        write(store, minute)
        await asyncio.wait_for(slave.woken.acquire(), 10)


async def test_one_request_at_a_time_and_news_meanwhile_is_told_afterwards(
    pusher: Pusher, slave: FakeSlave, store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "_LOOK_S", 0.001)
    slave.free.clear()
    await pusher.start()
    await asyncio.wait_for(slave.woken.acquire(), 10)
    for minute in range(5):
        write(store, minute)
    asked = asyncio.create_task(pusher.push("backup1"))
    with pytest.raises(TimeoutError):  # nobody else comes while the first one is not answered
        await asyncio.wait_for(slave.woken.acquire(), 0.2)
    slave.free.set()
    assert await asyncio.wait_for(asked, 10)
    await asyncio.wait_for(slave.woken.acquire(), 10)
    assert slave.most_in_flight == 1


async def test_who_was_told_on_request(pusher: Pusher) -> None:
    assert await pusher.push("backup1") is True
    assert await pusher.push("disabled") is False
    assert await pusher.push("away") is False
    with pytest.raises(NotFoundError, match="no slave 'nobody' is configured"):
        await pusher.push("nobody")


async def test_one_that_refused_is_told_again(
    pusher: Pusher, slave: FakeSlave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "_FIRST_PAUSE_S", 0.01)
    slave.status = 503
    await pusher.start()
    for _ in range(3):
        await asyncio.wait_for(slave.woken.acquire(), 10)
    assert await pusher.push("backup1") is False
    slave.status = 200
    assert await pusher.push("backup1") is True


@pytest.mark.parametrize("status", [200, 403, 409, 503])
async def test_a_slave_that_was_promoted_meanwhile_fences_the_master(
    pusher: Pusher, slave: FakeSlave, reign: Reign, status: int
) -> None:
    slave.status, slave.epoch = status, "2.0011aabb"
    await pusher.push("backup1")
    assert (reign.fenced_by, reign.may_write) == (2, False)


async def test_who_does_not_know_the_token_fences_nobody(
    pusher: Pusher, slave: FakeSlave, reign: Reign
) -> None:
    slave.status, slave.epoch = 401, "2"
    assert await pusher.push("backup1") is False
    assert reign.may_write


async def test_what_is_no_epoch_is_an_error_of_that_node(pusher: Pusher, slave: FakeSlave) -> None:
    slave.epoch = "soon"
    assert await pusher.push("backup1") is False


class OddLink(Link):
    """Raises one error after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    async def ask(self, node: NodeAddress, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return {}


def logged(logs: list[Any], event: str) -> list[str]:
    return [one["error"] for one in logs if one["event"].startswith(event)]


async def test_a_full_disk_here_does_not_end_the_news(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slave told of a newer reign, which the store could not keep."""
    monkeypatch.setattr(pushing, "_FIRST_PAUSE_S", 0.01)
    full = "applying a patch: no space left on device"
    link = OddLink(StoreError(full), StoreError(full), KeyError("odd"))
    pusher = Pusher(link, store, {"backup1": SlaveNode(MASTER, enabled=True)}, timeout_s=20)
    with structlog.testing.capture_logs() as logs:
        await pusher.start()
        async with asyncio.timeout(30):
            while link.asked < 4:  # noqa: ASYNC110 - a fake tells nobody
                await asyncio.sleep(0.005)
        await pusher.drain()
    assert logged(logs, "a slave cannot be told of news") == [full, "'odd'"]
    assert any(one["event"] == "a slave hears of news again" for one in logs)


async def test_news_are_looked_for_whatever_the_store_does(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "_LOOK_S", 0.01)
    link, errors = OddLink(), [OSError("input/output error"), StoreError("closed")]
    read = store.revision

    def revision() -> int:
        if errors:
            raise errors.pop(0)
        return read()

    monkeypatch.setattr(store, "revision", revision)
    pusher = Pusher(link, store, {"backup1": SlaveNode(MASTER, enabled=True)}, timeout_s=20)
    with structlog.testing.capture_logs() as logs:
        await pusher.start()
        async with asyncio.timeout(30):
            while not link.asked:  # noqa: ASYNC110 - a fake tells nobody
                await asyncio.sleep(0.005)
        await pusher.drain()
    assert logged(logs, "the store's revision cannot be read") == ["input/output error", "closed"]
