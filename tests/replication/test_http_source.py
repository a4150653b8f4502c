"""A store behind a socket is followed as one of this process is."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from markethub.domain.selection import EVERYTHING, Selection
from markethub.domain.support import DataKind
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Patch, SeriesPatch
from markethub.replication.follower import Copied, Follower, Mode
from markethub.replication.http_source import HttpSource
from markethub.replication.source import StoreSource
from markethub.stores.duckdb import open_duckdb_store
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.testing.record_rows import ALWAYS, claim, fills_at, rows_of
from markethub.testing.replica_moves import content_of
from markethub.testing.store_contract import BTC, BTC_HOURS, ETH, T0, bars_at, minute_span, minutes
from tests.replication.served_master import ServedMaster, link_to, served_master

_OWNER = "OKX_MM01"
_MONTH_MS = 31 * 86_400_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedMaster]:
    with served_master(tmp_path_factory.mktemp("master")) as master:
        yield master


def fill(store: DataStore) -> None:
    """One of everything."""
    store.upsert(BTC, bars_at(minutes(0, 30)), [claim(0, 30)]).result()
    store.upsert(BTC, bars_at([T0 + _MONTH_MS]), [claim(60, 70, "files")]).result()
    store.upsert(ETH, bars_at(minutes(0, 5))).result()
    store.upsert(BTC_HOURS, empty_klines(), [claim(0, 60)]).result()
    for table in RECORD_TABLES.values():
        store.records.upsert_records(table, rows_of(table, {})).result()
    store.records.upsert_records(FILLS, fills_at(1, 2, 3), [OwnerClaims(_OWNER, [claim(0, 9)])]).result()


@pytest.fixture
def master(served: ServedMaster) -> DataStore:
    store = MemorySeriesStore()
    fill(store)
    served.hold(store)
    return store


@pytest.fixture
async def connect(served: ServedMaster) -> AsyncIterator[Callable[..., HttpSource]]:
    links = []

    def connect(compression: str = "lz4", token: str | None = None) -> HttpSource:
        link = link_to() if token is None else link_to(token)
        links.append(link)
        return HttpSource(link, served.address, compression=compression, timeout_s=20, bandwidth=None)

    yield connect
    for link in links:
        await link.close()


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
async def test_it_answers_as_the_store_itself(
    master: DataStore, connect: Callable[..., HttpSource], compression: str
) -> None:
    far, near = connect(compression), StoreSource(master, lambda: 1)
    assert await far.read_state() == await near.read_state()
    assert await far.list_series(EVERYTHING) == await near.list_series(EVERYTHING)
    assert await far.digest_series(BTC) == await near.digest_series(BTC)
    assert await far.digest_table(FILLS, EVERYTHING) == await near.digest_table(FILLS, EVERYTHING)
    assert (await far.read_bars(BTC, ALWAYS)).equals(await near.read_bars(BTC, ALWAYS))
    assert (await far.read_rows(FILLS, ALWAYS, EVERYTHING)).equals(
        await near.read_rows(FILLS, ALWAYS, EVERYTHING)
    )
    changes, expected = await far.read_changes(2, 5, EVERYTHING), await near.read_changes(2, 5, EVERYTHING)
    assert (changes.upto, changes.newest, changes.rows) == (expected.upto, expected.newest, expected.rows)
    page, other = (
        await far.read_snapshot(None, 20, EVERYTHING),
        await near.read_snapshot(None, 20, EVERYTHING),
    )
    assert (page.cursor, page.rows) == (other.cursor, other.rows)
    assert page.cursor is not None
    page = await far.read_snapshot(page.cursor, 1000, EVERYTHING)
    assert page.cursor is None


async def test_a_selection_goes_along(master: DataStore, connect: Callable[..., HttpSource]) -> None:
    far = connect()
    only = Selection(symbols=frozenset({ETH.symbol}), kinds=frozenset({DataKind.KLINE}))
    assert [one.series for one in await far.list_series(only)] == [ETH]
    assert [one.series for one in (await far.read_changes(0, 1000, only)).series] == [ETH]
    assert [one.series for one in (await far.read_snapshot(None, 1000, only)).series] == [ETH]
    venue = Selection(venues=frozenset({"BNC"}))
    assert len(await far.read_rows(FILLS, ALWAYS, venue)) == 0
    assert (await far.digest_table(FILLS, venue)).months == {}


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[str], DataStore]]:
    with ExitStack() as stack:

        def open_one(kind: str) -> DataStore:
            if kind == "memory":
                return MemorySeriesStore()
            store = open_duckdb_store(tmp_path / "one.duckdb", threads=1)
            stack.callback(store.close)
            return store

        yield open_one


@pytest.mark.parametrize("kinds", [("duckdb", "memory"), ("memory", "duckdb")], ids="->".join)
async def test_one_kind_of_store_follows_the_other(
    served: ServedMaster,
    connect: Callable[..., HttpSource],
    open_store: Callable[[str], DataStore],
    kinds: tuple[str, str],
) -> None:
    master, slave = map(open_store, kinds)
    fill(master)
    served.hold(master)
    copied: list[Copied] = []
    follower = Follower(connect(), slave, EVERYTHING, copied.append, rows_per_set=40)
    await follower.catch_up()
    assert content_of(slave) == content_of(master)
    assert {one.mode for one in copied} == {Mode.FULL}
    copied.clear()
    gone = SeriesPatch(BTC, empty_klines(), (), [minute_span(2, 9)], [minute_span(1, 2)])
    master.replica.apply_patch(Patch([gone])).result()
    master.upsert(ETH, bars_at(minutes(3, 7), 9.0)).result()
    master.records.upsert_records(FILLS, fills_at(3, 4, side="sell")).result()
    await follower.catch_up()
    assert content_of(slave) == content_of(master)
    assert {one.mode for one in copied} == {Mode.INCREMENTAL}
    slave.upsert(BTC, bars_at(minutes(20, 22), 5.0)).result()
    verdict = await follower.verify()
    assert (verdict.repaired, verdict.unsettled) == ([BTC], [])
    assert content_of(slave) == content_of(master)
