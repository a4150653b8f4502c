"""Snapshots of what accounts hold."""

from collections import Counter
from decimal import Decimal

import pytest

from markethub.domain.errors import InputError, KeyRefusedError
from markethub.domain.span import Span
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.balance_backfill import BalanceBackfillHandler
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.balances import BALANCES
from tests.jobs.fake_venues import (
    NOW_MS,
    FakeAccount,
    FakeVenue,
    Keys,
    MemoryLog,
    execution,
    running,
    venues_of,
)

HELD = [
    {"account": "OKX_MM01", "wallet": "trading", "asset": "BTC", "time": NOW_MS - 7, "total": Decimal("1.5")},
    {"account": "OKX_MM01", "wallet": "funding", "asset": "BTC", "time": NOW_MS - 7, "total": Decimal(2)},
]


def handler_of(keys: Keys, **accounts: FakeAccount) -> BalanceBackfillHandler:
    access = AccountAccess(venues_of(OKX=FakeVenue(accounts=accounts)), keys)
    return BalanceBackfillHandler(access, MemorySeriesStore().records, lambda: NOW_MS)


async def test_a_snapshot_is_stored_and_claims_its_moment() -> None:
    handler = handler_of(Keys("OKX_MM01"), MM01=FakeAccount(held=HELD))
    plan = await handler.plan(execution({"accounts": ["OKX_MM01", "BNC_MM01"]}), MemoryLog())
    assert dict(plan.failures) == {"BNC_MM01": "no adapter for exchange BNC is installed"}
    [chunk] = plan.chunks
    counters = await handler.run(running(chunk), MemoryLog())
    assert Counter(counters) == Counter(processed=2, inserted=2)
    [claim] = handler.records.covered_records(BALANCES, "OKX_MM01", Span(0, 2 * NOW_MS))
    assert claim.span == Span(NOW_MS - 7, NOW_MS - 6)


async def test_an_empty_account_is_told_apart_from_one_nobody_asked() -> None:
    handler, log = handler_of(Keys("OKX_EMPTY"), EMPTY=FakeAccount()), MemoryLog()
    [chunk] = (await handler.plan(execution({"accounts": ["OKX_EMPTY"]}), log)).chunks
    await handler.run(running(chunk), log)
    assert len(handler.records.read_records(BALANCES)) == 0
    [claim] = handler.records.covered_records(BALANCES, "OKX_EMPTY", Span(0, 2 * NOW_MS))
    assert claim.span == Span(NOW_MS, NOW_MS + 1)
    assert ("info", "OKX_EMPTY: the account is empty") in log.lines


async def test_what_is_wrong_with_a_key_fails_the_chunk_in_its_own_words() -> None:
    refused = FakeAccount(error=KeyRefusedError("OKX 50105: wrong passphrase"))
    handler = handler_of(Keys("OKX_MM01", "OKX_MM02", missing=frozenset({"OKX_MM02"})), MM01=refused)
    plan = await handler.plan(execution({"accounts": ["OKX_MM01", "OKX_MM02"]}), MemoryLog())
    with pytest.raises(KeyRefusedError, match="wrong passphrase"):
        await handler.run(running(plan.chunks[0]), MemoryLog())
    with pytest.raises(InputError, match="X_KEY is not set"):
        await handler.run(running(plan.chunks[1]), MemoryLog())
