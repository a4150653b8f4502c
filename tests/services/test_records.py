"""Reads of records at their bounds; what they answer in general is told by the API's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from markethub.app import open_hub
from markethub.config import Settings, StoreSettings
from markethub.domain.errors import InputError
from markethub.services.hub import Hub
from markethub.services.records import RecordRequest, read_records
from markethub.tables.fills import FILLS
from tests.api.stored_records import rows_of, store_records


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A real hub on DuckDB that reads at most three rows at once."""
    settings = Settings(data_dir=tmp_path, store=StoreSettings(max_read_rows=3))
    async with open_hub(settings) as opened:
        store_records(opened.records)
        yield opened


async def test_an_answer_that_is_too_large_is_refused_unless_it_has_a_limit(hub: Hub) -> None:
    assert len((await read_records(hub, RecordRequest("fills"))).rows) == 3
    more = rows_of(FILLS, {"account": "OKX_MM01", "fill_id": "9", "symbol": "BTC_USDT.OKX"})
    hub.records.upsert_records(FILLS, more).result()
    for request in (RecordRequest("fills"), RecordRequest("symbols"), RecordRequest("orders", offset=3)):
        with pytest.raises(InputError, match="more than 3 rows match"):
            await read_records(hub, request)
    page = await read_records(hub, RecordRequest("fills", limit=2, offset=2))
    assert (len(page.rows), page.total, page.limit, page.offset) == (2, 4, 2, 2)
    # What lies behind the offset fits.
    assert len((await read_records(hub, RecordRequest("fills", offset=1))).rows) == 3


async def test_the_file_store_answers_as_the_memory_store_does(hub: Hub) -> None:
    """The API's tests run on memory; these are the questions that need more than one of its answers."""
    newest = await read_records(hub, RecordRequest("balances", newest_only=True))
    assert newest.rows.column("account").to_pylist() == ["BNC_MM01"]
    before = await read_records(
        hub, RecordRequest("symbols", exchange="BNC", newest_only=True, end_ms=1_767_571_200_000)
    )
    assert before.rows.column("symbol").to_pylist() == ["BTC_USDT.BNC", "OLD_USDT.BNC", "ETH_USDT.BNC"]
    books = await read_records(hub, RecordRequest("orderbooks", newest_only=True, exchange="BNC"))
    assert books.rows.column("bid_sizes").to_pylist() == [[0.1, 1e-7]]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (RecordRequest("nothing"), "table 'nothing' is not one of symbols, tickers"),
        (RecordRequest("orders", newest_only=True), "orders has no snapshots"),
        (RecordRequest("orders", limit=4), "limit 4 is not between 1 and 3"),
    ],
)
async def test_what_cannot_be_asked(hub: Hub, asked: RecordRequest, words: str) -> None:
    with pytest.raises(InputError, match=words):
        await read_records(hub, asked)
