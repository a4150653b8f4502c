"""What a node does by itself, from its start through a promotion to the return of the old master."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from markethub.domain.errors import ConflictError, ForbiddenError, ReplicationError
from markethub.domain.node import Role
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.subscription import SubscriptionRule
from markethub.domain.symbol import Series
from markethub.ports.store import SeriesSummary
from markethub.replication import heralding
from markethub.replication.follow_loop import FollowLoop
from markethub.services.backfill import Extras, queue_symbol_backfill
from markethub.services.executions import cancel_execution, retry_execution
from markethub.services.health import check_health
from markethub.services.hub import Hub
from markethub.services.promotion import promote_node
from markethub.services.subscriptions import set_rule, set_symbols
from markethub.testing.store_contract import BTC, bars_at, minutes
from tests.running_node import Places, held_places, running_node

_EVER = Span(0, 4_102_444_800_000)


@pytest.fixture
def places() -> Iterator[Places]:
    with held_places() as places:
        yield places


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what another task brings about."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - the state of a running node, which tells nobody
            await asyncio.sleep(0.005)


def works(hub: Hub) -> bool:
    assert hub.scheduler is not None
    return hub.engine.is_working and hub.scheduler.is_working


def rows(hub: Hub, series: Series = BTC) -> int:
    return len(hub.store.read(series, _EVER))


async def write(hub: Hub, first: int, end: int) -> None:
    await asyncio.wrap_future(hub.store.upsert(BTC, bars_at(minutes(first, end))))


async def test_a_slave_follows_refuses_writes_and_takes_over(places: Places, tmp_path: Path) -> None:
    async with AsyncExitStack() as first:
        master = await first.enter_async_context(
            running_node(places.master_settings(tmp_path), places.master)
        )
        assert works(master)
        assert (await check_health(master)).ready
        async with running_node(places.slave_settings(tmp_path), places.slave) as slave:
            await _is_told(master, slave)
            assert not slave.engine.is_working
            assert (await check_health(slave)).ready
            await _refuses(slave, ForbiddenError, f"ask the master at http://127.0.0.1:{places.master}")
            await first.aclose()
            await _takes_over(slave)
            async with running_node(places.master_settings(tmp_path), places.master) as old:
                await _knows_that_it_was_replaced(old)


async def _is_told(master: Hub, slave: Hub) -> None:
    following = slave.node.following
    assert following is not None
    await until(lambda: following.state.verified_ms is not None)
    await following.request(None, _EVER)  # after it nothing of the first run is left
    await write(master, 0, 7)
    await until(lambda: rows(slave) == 7)  # by itself it would pull in two hours


async def _takes_over(slave: Hub) -> None:
    assert await promote_node(slave) == 2
    await until(lambda: works(slave))
    assert (await check_health(slave)).ready
    queued = await queue_symbol_backfill(slave, exchanges=["BNC"], extras=Extras())
    await cancel_execution(slave, str(queued.execution_id))
    with pytest.raises(ConflictError, match="master already, with epoch 2"):
        await promote_node(slave)
    assert rows(slave) == 7


async def _knows_that_it_was_replaced(old: Hub) -> None:
    """It has asked its slaves before its first write, and learned from the first answer."""
    assert (old.node.role, old.node.reign.fenced_by) == (Role.MASTER, 2)
    assert not old.engine.is_working
    await _refuses(old, ConflictError, "this master was replaced")
    assert (await check_health(old)).problems == ["node: replaced by a master with epoch 2"]


async def _refuses(hub: Hub, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        await queue_symbol_backfill(hub, exchanges=["BNC"])
    with pytest.raises(error, match=match):
        await set_symbols(hub, "BNC", ["BTC_USDT"])
    with pytest.raises(error, match=match):
        await set_rule(hub, "BNC", SubscriptionRule(quote="USDT", top=3, keep=6))
    for change in (retry_execution, cancel_execution):
        with pytest.raises(error, match=match):
            await change(hub, "1")


async def test_a_master_that_never_asks_is_told_and_lays_down_its_work(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition: the master knows of no slave, and only the promoted node can tell it."""
    for pause in ("_UNKNOWING_S", "_KNOWING_S"):
        monkeypatch.setattr(heralding, pause, 0.1)
    settings = places.master_settings(tmp_path, knows_slave=False)
    async with running_node(places.slave_settings(tmp_path), places.slave) as slave:
        await promote_node(slave)
        async with running_node(settings, places.master) as old:
            assert old.engine.is_working
            await until(lambda: old.engine.is_drained)
            assert (old.node.reign.fenced_by, works(old)) == (2, False)
            with pytest.raises(ConflictError, match="restart it, and then promote it"):
                await promote_node(old)
        async with running_node(settings, places.master) as old:
            assert not old.engine.is_working
            assert await promote_node(old) == 3
            await until(lambda: works(old))
            # the other one asks again and again, and hears of the third reign
            await until(lambda: slave.engine.is_drained)
            assert slave.node.reign.fenced_by == 3


async def test_what_was_begun_with_one_master_does_not_go_on_with_another(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a verification an empty node takes the master's place."""
    async with running_node(places.slave_settings(tmp_path), places.slave) as slave:
        following = slave.node.following
        assert isinstance(following, FollowLoop)
        source = following._follower.source
        list_series, listing, go_on = source.list_series, asyncio.Event(), asyncio.Event()

        async def list_later(selection: Selection) -> list[SeriesSummary]:
            listing.set()
            await go_on.wait()
            return await list_series(selection)

        async with running_node(places.master_settings(tmp_path), places.master) as master:
            await write(master, 0, 7)
            await until(lambda: rows(slave) == 7)
            await until(lambda: following.state.verified_ms is not None)
            monkeypatch.setattr(source, "list_series", list_later)
            proof = asyncio.create_task(following.verify())
            await listing.wait()
        async with running_node(places.master_settings(tmp_path / "new"), places.master):
            go_on.set()
            with pytest.raises(ReplicationError, match="was started anew meanwhile"):
                await proof
        assert rows(slave) == 7


async def test_a_lost_master_that_comes_back_empty_empties_no_slave(places: Places, tmp_path: Path) -> None:
    async with running_node(places.slave_settings(tmp_path), places.slave) as slave:
        async with running_node(places.master_settings(tmp_path), places.master) as master:
            await write(master, 0, 7)
            await until(lambda: rows(slave) == 7)
        following = slave.node.following
        assert following is not None
        async with running_node(places.master_settings(tmp_path / "new"), places.master):
            with pytest.raises(ReplicationError, match="another store's"):
                await following.request(None, _EVER)
        assert rows(slave) == 7
