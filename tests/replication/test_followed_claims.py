"""A verification finds claims that differ, and only those, on stores of both kinds."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from markethub.domain.selection import EVERYTHING
from markethub.ports.data_store import DataStore
from markethub.ports.records import OwnerClaims
from markethub.ports.replication import Patch, SeriesPatch
from markethub.ports.store import EVER, Coverage
from markethub.replication.follower import Follower
from markethub.replication.source import StoreSource
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.fills import FILLS
from markethub.tables.klines import empty_klines
from markethub.testing.replica_moves import OWNER, claim, claims_patch, content_of
from markethub.testing.store_contract import BTC, DAY_MS, T0, bars_at, minutes
from tests.stores.file_stores import opening_files

_HOUR_MS = 3_600_000
_NEXT_DAY_MS = T0 + DAY_MS


@pytest.fixture(params=["memory", "duckdb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], DataStore]]:
    if request.param == "memory":
        yield MemorySeriesStore
        return
    with opening_files(tmp_path) as open_file:
        yield open_file


@pytest.fixture
def master(open_store: Callable[[], DataStore]) -> DataStore:
    store = open_store()
    store.upsert(BTC, bars_at(minutes(0, 60)), [claim(0, 60)]).result()
    claim_records(store, claim(0, 60))
    return store


@pytest.fixture
def slave(open_store: Callable[[], DataStore]) -> DataStore:
    return open_store()


@pytest.fixture
def follower(master: DataStore, slave: DataStore) -> Follower:
    return Follower(StoreSource(master, lambda: 1), slave, EVERYTHING)


def claim_records(store: DataStore, *claims: Coverage) -> None:
    store.records.upsert_records(FILLS, FILLS.empty(), [OwnerClaims(OWNER, claims)]).result()


async def apply(store: DataStore, patch: Patch) -> None:
    await asyncio.wrap_future(store.replica.apply_patch(patch))


async def test_a_slave_that_was_away_over_midnight_needs_no_repair(
    master: DataStore, slave: DataStore, follower: Follower
) -> None:
    await follower.catch_up()
    checks = [claim(60, 120, checked_ms=T0 + _HOUR_MS), claim(30, 180, checked_ms=_NEXT_DAY_MS)]
    for check in checks:
        master.upsert(BTC, bars_at(minutes(60, 120)), [check]).result()
        claim_records(master, check)
    assert (await follower.verify()).repaired == []
    assert content_of(slave) == content_of(master)
    assert claim(0, 30, checked_ms=T0 + _HOUR_MS) in slave.covered(BTC, EVER)


async def test_nor_does_one_whose_master_was_made_equal_to_another(
    master: DataStore, slave: DataStore, follower: Follower
) -> None:
    """As a master that was a slave before, and had its claims compared."""
    far = claim(100, 110)
    claim_records(master, far)
    await follower.catch_up()
    told = OwnerClaims(OWNER, [claim(0, 60, checked_ms=_NEXT_DAY_MS), far])
    await apply(master, claims_patch(told, unclaimed=[OWNER]))
    assert (await follower.verify()).repaired == []
    assert slave.replica.read_record_claims(FILLS) == [told]


@pytest.mark.parametrize(
    "held",
    [
        [],
        [claim(0, 59)],
        [claim(0, 60, checked_ms=T0 + 1)],
        [claim(0, 60, checked_ms=_NEXT_DAY_MS)],
        [claim(0, 60, "files")],
        [claim(0, 60), claim(70, 80)],
    ],
    ids=["none", "shorter", "a moment later", "a day later", "another source", "one more"],
)
async def test_claims_that_differ_are_found_and_repaired_once(
    master: DataStore, slave: DataStore, follower: Follower, held: Sequence[Coverage]
) -> None:
    await follower.catch_up()
    spoilt = claims_patch(OwnerClaims(OWNER, held), unclaimed=[OWNER])
    await apply(slave, Patch([SeriesPatch(BTC, empty_klines(), held, unclaimed=[EVER])], spoilt.records))
    assert (await follower.verify()).repaired == [BTC, "fills"]
    assert content_of(slave) == content_of(master)
    assert (await follower.verify()).repaired == []


async def test_claims_about_an_owner_whom_the_master_does_not_know_are_repaired_once(
    slave: DataStore, follower: Follower
) -> None:
    await follower.catch_up()
    await apply(slave, claims_patch(OwnerClaims("OKX_MM02", [claim(0, 9)])))
    assert (await follower.verify()).repaired == ["fills"]
    assert (await follower.verify()).repaired == []
