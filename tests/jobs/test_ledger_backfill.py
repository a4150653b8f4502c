"""Ledgers: every row arrives, what is claimed is complete and final, what is claimed is not asked again."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError, VenueUnavailableError
from markethub.domain.span import Span, subtract
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account
from markethub.engine.handler import Plan
from markethub.jobs.accounts import AccountAccess
from markethub.jobs.ledger_backfill import LedgerBackfillHandler
from markethub.jobs.ledger_plan import LedgerBackfill
from markethub.ports.budget import Asker
from markethub.ports.records import RecordQuery
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.catalog import TABLE_OF
from markethub.tables.records import times_ms
from markethub.tables.rejects import REJECTS
from tests.jobs.fake_venues import (
    DAY_MS,
    NOW_MS,
    FakeAccount,
    FakeVenue,
    Keys,
    MemoryLog,
    execution,
    running,
    venues_of,
)

HOUR_MS = 3_600_000
ACCOUNT = Account("OKX", "MM01")
SETTLED_MS = NOW_MS - 300_000


class Clerk:
    """One account, one store, one kind of rows."""

    def __init__(self, account: FakeAccount, kind: DataKind = DataKind.FILL) -> None:
        self.account = account
        self.kind = kind
        self.records = MemorySeriesStore().records
        self.log = MemoryLog()
        access = AccountAccess(
            venues_of(OKX=FakeVenue(accounts={"MM01": account})),
            Keys("OKX_MM01", "OKX_MM02", "OKX_MM03", missing=frozenset({"OKX_MM02"})),
        )
        self.handler = LedgerBackfillHandler(kind, access, self.records, lambda: NOW_MS)

    async def plan(
        self, start_ms: int | None = None, roots: Sequence[str] = (), accounts: Sequence[Account] = (ACCOUNT,)
    ) -> Plan:
        wanted = LedgerBackfill(tuple(accounts), tuple(roots), start_ms, NOW_MS)
        return await self.handler.plan(execution(wanted.to_parameters()), self.log)

    async def run(self, start_ms: int | None = None, roots: Sequence[str] = ()) -> dict[str, int]:
        total: dict[str, int] = {}
        for chunk in (await self.plan(start_ms, roots)).chunks:
            for name, count in (await self.handler.run(running(chunk), self.log)).items():
                total[name] = total.get(name, 0) + count
        return total

    def stored(self) -> list[int]:
        table = TABLE_OF[self.kind]
        found: list[int] = times_ms(self.records.read_records(table), table.time).to_pylist()
        return found

    def open_spans(self, owner: str = "OKX_MM01") -> list[Span]:
        """What of the reach nobody vouches for."""
        reach = Span(self.account.reach_from_ms, NOW_MS)
        return subtract(
            reach, [one.span for one in self.records.covered_records(TABLE_OF[self.kind], owner, reach)]
        )


TIMES = [NOW_MS - 80 * DAY_MS + number * 11 * HOUR_MS for number in range(170)]


@pytest.mark.parametrize("kind", [DataKind.ORDER, DataKind.FILL, DataKind.TRANSFER])
async def test_every_row_arrives_and_a_second_run_asks_for_the_newest_only(kind: DataKind) -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES), kind)
    counters = await clerk.run()
    assert Counter(counters) == Counter(processed=170, inserted=170)
    assert clerk.stored() == TIMES
    assert clerk.open_spans() == [Span(SETTLED_MS, NOW_MS)]
    clerk.account.asked.clear()
    again = await clerk.run()
    assert again["inserted"] == again["updated"] == 0
    assert [span for span, _, _ in clerk.account.asked] == [Span(SETTLED_MS, NOW_MS)]


async def test_months_are_asked_for_newest_first_and_only_the_newest_is_fresh() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES))
    plan = await clerk.plan()
    assert [chunk.key for chunk in plan.chunks] == [f"OKX_MM01 2026-{month:02d}" for month in (6, 5, 4, 3)]
    assert [chunk.priority for chunk in plan.chunks] == [0, -1, -2, -3]
    await clerk.run()
    assert [asker for _, _, asker in clerk.account.asked] == [
        Asker("trace-1", is_fresh=True),
        *[Asker("trace-1", is_fresh=False)] * 3,
    ]


async def test_transfers_are_cut_into_years() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES, reach_from_ms=NOW_MS - 900 * DAY_MS), DataKind.TRANSFER)
    assert [chunk.key for chunk in (await clerk.plan()).chunks] == [
        f"OKX_MM01 {year}" for year in (2026, 2025, 2024, 2023)
    ]


async def test_a_killed_run_goes_on_where_it_was() -> None:
    """Pages come newest first: what lies after the last stored page is complete, and is not asked again."""
    account = FakeAccount(times_ms=TIMES, fails_after=5, error=VenueUnavailableError("away"))
    clerk = Clerk(account)
    [june, *_] = (await clerk.plan()).chunks
    with pytest.raises(VenueUnavailableError):
        await clerk.handler.run(running(june), clerk.log)
    stored = clerk.stored()
    assert len(stored) == 15
    assert clerk.open_spans()[0].end_ms == stored[0]
    account.asked.clear()
    await clerk.handler.run(running(june), clerk.log)
    spans = [span for span, _, _ in account.asked]
    assert spans[0] == Span(SETTLED_MS, NOW_MS)
    assert spans[1].end_ms == stored[0]
    assert clerk.stored() == [time for time in TIMES if time >= spans[1].start_ms]


async def test_rows_that_make_no_sense_are_kept_apart_and_never_count_as_covered() -> None:
    """Claims grow from page to page: a later one must not cover what an earlier page rejected."""
    bad = frozenset({TIMES[-2], TIMES[-20]})
    clerk = Clerk(FakeAccount(times_ms=TIMES, bad=bad))
    counters = await clerk.run()
    assert (counters["processed"], counters["rejected"]) == (168, 2)
    assert clerk.stored() == sorted(set(TIMES) - bad)
    assert clerk.open_spans() == [
        *[Span(time, time + 1) for time in sorted(bad)],
        Span(SETTLED_MS, NOW_MS),
    ]
    rejects = clerk.records.read_records(REJECTS).to_pylist()
    assert {(row["kind"], row["owner"], row["key"]) for row in rejects} == {
        ("fill", "OKX_MM01", str(time)) for time in bad
    }
    assert f"OKX_MM01 {TIMES[-2]}: size -1; kept out, see rejects" in clerk.log.warnings()
    # When the venue has corrected them, they are asked for again, and only they are.
    clerk.account.bad = frozenset()
    clerk.account.asked.clear()
    assert (await clerk.run())["inserted"] == 2
    assert sorted(span.width_ms for span, _, _ in clerk.account.asked) == [1, 1, 300_000]


async def test_an_instrument_has_claims_of_its_own() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES))
    await clerk.run(roots=["BTC_USDT", "ETH_USDT"])
    assert {symbol for _, symbol, _ in clerk.account.asked} == {"BTC_USDT.OKX", "ETH_USDT.OKX"}
    assert clerk.open_spans("OKX_MM01 BTC_USDT") == [Span(SETTLED_MS, NOW_MS)]
    assert clerk.open_spans("OKX_MM01") == [Span(clerk.account.reach_from_ms, NOW_MS)]


async def test_what_is_complete_for_an_account_is_complete_for_its_instruments() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES))
    await clerk.run()
    clerk.account.asked.clear()
    await clerk.run(roots=["BTC_USDT"])
    assert [span for span, _, _ in clerk.account.asked] == [Span(SETTLED_MS, NOW_MS)]


async def test_a_start_before_the_reach_is_warned_of_with_the_date_from_which_there_is_data() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES))
    plan = await clerk.plan(start_ms=NOW_MS - 200 * DAY_MS)
    assert (len(plan.chunks), dict(plan.failures)) == (4, {})
    [warning] = clerk.log.warnings()
    assert "OKX tells fills from 2026-03-17T10:20:30Z on" in warning
    assert "2025-11-27T10:20:30Z" in warning


async def test_what_is_told_in_part_only_is_warned_of_where_it_was_asked_for() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES, all_from_ms=NOW_MS - 30 * DAY_MS))
    plan = await clerk.plan(start_ms=NOW_MS - 60 * DAY_MS)
    assert (plan.chunks != [], dict(plan.failures)) == (True, {})
    [warning] = clerk.log.warnings()
    assert "OKX tells all fills only from 2026-05-16T10:20:30Z on" in warning
    assert "2026-04-16T10:20:30Z" in warning
    for start_ms in (None, NOW_MS - 30 * DAY_MS):
        fresh = Clerk(clerk.account)
        await fresh.plan(start_ms=start_ms)
        assert fresh.log.warnings() == []


async def test_nothing_but_what_cannot_be_had_is_a_failure_that_says_so() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES, reach_from_ms=NOW_MS + 1))
    plan = await clerk.plan(start_ms=NOW_MS - DAY_MS)
    assert plan.chunks == []
    assert "cannot be had any more" in plan.failures["OKX_MM01"]


async def test_what_is_stored_already_is_not_missed_when_the_venue_forgets_it() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES))
    await clerk.run()
    clerk.account.reach_from_ms += 60 * DAY_MS
    plan = await clerk.plan(start_ms=NOW_MS - 90 * DAY_MS)
    assert (clerk.log.warnings(), dict(plan.failures)) == ([], {})
    assert [chunk.key for chunk in plan.chunks] == ["OKX_MM01 2026-06"]


async def test_accounts_without_a_usable_key_fail_alone() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES))
    accounts = [ACCOUNT, Account("OKX", "MM02"), Account("OKX", "MM03"), Account("BNC", "MM01")]
    plan = await clerk.plan(accounts=accounts)
    assert dict(plan.failures) == {
        "OKX_MM02": "account OKX_MM02: environment variable X_KEY is not set",
        "OKX_MM03": "account OKX_MM03: OKX needs a passphrase",
        "BNC_MM01": "account BNC_MM01: no adapter for exchange BNC is installed",
    }
    assert {chunk.parameters["account"] for chunk in plan.chunks} == {"OKX_MM01"}


async def test_an_error_that_cannot_pass_ends_the_chunk_and_keeps_what_came_before() -> None:
    clerk = Clerk(FakeAccount(times_ms=TIMES, fails_after=1))
    [june, *_] = (await clerk.plan()).chunks
    with pytest.raises(InputError, match="fell over"):
        await clerk.handler.run(running(june), clerk.log)
    assert len(clerk.stored()) == 3


_MOMENTS = st.integers(NOW_MS - 89 * DAY_MS, NOW_MS - 1)


@given(
    times=st.sets(_MOMENTS, max_size=40),
    page_rows=st.integers(1, 7),
    failures=st.lists(st.integers(0, 6), max_size=5),
)
def test_however_often_it_fails_every_row_arrives_once(
    times: set[int], page_rows: int, failures: list[int]
) -> None:
    async def run() -> None:
        account = FakeAccount(times_ms=sorted(times), page_rows=page_rows)
        clerk = Clerk(account)
        for fails_after in failures:
            account.fails_after, account.error = fails_after, VenueUnavailableError("away")
            try:
                await clerk.run()
            except VenueUnavailableError:
                # Whatever is vouched for so far is there.
                claimed = subtract(Span(account.reach_from_ms, NOW_MS), clerk.open_spans())
                have = set(clerk.stored())
                assert all(time in have for time in times for span in claimed if time in span)
        account.fails_after = None
        await clerk.run()
        assert clerk.stored() == sorted(times)
        assert clerk.open_spans() == [Span(SETTLED_MS, NOW_MS)]
        assert clerk.records.count_records(TABLE_OF[clerk.kind], RecordQuery()) == len(times)

    asyncio.run(run())
