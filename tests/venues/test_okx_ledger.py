"""OKX's ledger over a socket, against everything that really happened on the sandbox's account."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from markethub.domain.errors import InputError, SymbolNotListedError, VenueError, VenueProtocolError
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account, Symbol
from markethub.domain.times import parse_time, to_ms
from markethub.ports.keys import ApiKey
from markethub.ports.venue import AccountSource, LedgerPage, Venue
from markethub.sandbox.server import RunningSandbox, running_sandbox
from markethub.sandbox.settings import SandboxSettings, clock_starting_at, fixed_clock
from markethub.tables.catalog import TABLE_OF
from markethub.venues.okx import create_venue
from tests.budgets import budget_of
from tests.okx_ledger_truth import DAY, HOUR, Key, Rows, find_okx, find_rows, key_of, ledger_of

NOW = parse_time("2025-06-17T15:20:30")
EVER = Span(NOW - 130 * DAY, NOW)
MINUTE = 60_000
ORDER, FILL, TRANSFER = DataKind.ORDER, DataKind.FILL, DataKind.TRANSFER
ORDERS, TRANSFERS = 1000, 600
MANY_ORDERS, MANY_TRANSFERS = 4000, 1500  # the sandbox's defaults
API = "/api/v5/"
PATHS = {
    ORDER: ("trade/orders-history", "trade/orders-history-archive"),
    FILL: ("trade/fills-history",),
    TRANSFER: ("asset/deposit-history", "asset/withdrawal-history", "asset/bills-history"),
}
BTC = Symbol.parse("BTC_USDT.OKX")


@asynccontextmanager
async def served(**changes: Any) -> AsyncIterator[tuple[RunningSandbox, Venue]]:  # noqa: ANN401
    """A sandbox without limits whose clock stands still, and the venue that asks it."""
    usual = SandboxSettings(
        clock=fixed_clock(NOW),
        okx_limits_enforced=False,
        orders_per_account=ORDERS,
        transfers_per_account=TRANSFERS,
    )
    async with running_sandbox(replace(usual, **changes)) as sandbox:
        venue = create_venue({"base_url": sandbox.url, "request_timeout_s": "10"})
        try:
            yield sandbox, venue
        finally:
            await venue.close()


@pytest.fixture
async def sandbox_and_venue() -> AsyncIterator[tuple[RunningSandbox, Venue]]:
    async with served() as pair:
        yield pair


@pytest.fixture
def sandbox(sandbox_and_venue: tuple[RunningSandbox, Venue]) -> RunningSandbox:
    return sandbox_and_venue[0]


@pytest.fixture
def source(sandbox_and_venue: tuple[RunningSandbox, Venue]) -> AccountSource:
    return open_account(sandbox_and_venue[1])


def open_account(venue: Venue, name: str = "MM01", *, is_limited: bool = False) -> AccountSource:
    one = find_okx(name)
    source = venue.account(Account("OKX", name), ApiKey(one.key, one.secret, one.passphrase))
    if not is_limited:
        # The sandbox refuses nobody then: the budgets would only wait.
        for budget in venue._doors.budgets():  # type: ignore[attr-defined]
            budget.set_limit(None)
    return source


async def read(
    source: AccountSource, kind: DataKind, span: Span = EVER, symbol: Symbol | None = None
) -> list[LedgerPage]:
    return [page async for page in source.ledger(kind, span, symbol)]


def rows_of(pages: Sequence[LedgerPage], kind: DataKind) -> list[dict[str, Any]]:
    for page in pages:
        assert page.rows.schema.equals(TABLE_OF[kind].schema)
        assert not page.rejected
    return [row for page in pages for row in page.rows.to_pylist()]


def by_key(rows: Sequence[dict[str, Any]], kind: DataKind) -> Rows:
    return {key_of(kind, row): row for row in rows}


@cache
def truth(kind: DataKind, span: Span = EVER, orders: int = ORDERS, transfers: int = TRANSFERS) -> Rows:
    rows = find_rows(kind, ledger_of("MM01", orders, transfers), NOW)
    return {key: row for key, row in rows.items() if time_of(kind, row) in span}


def time_of(kind: DataKind, row: dict[str, Any]) -> int:
    return to_ms(row[TABLE_OF[kind].time])


def assert_once(rows: Sequence[dict[str, Any]], expected: Rows, kind: DataKind) -> None:
    """All of them, none twice, every column exact."""
    assert len(rows) == len(expected)
    assert by_key(rows, kind) == expected


def assert_honest(pages: Sequence[LedgerPage], expected: Rows, kind: DataKind) -> list[Span]:
    """Whatever a page claims has come by then, and will not change; returns the claims."""
    so_far: set[Key] = set()
    claims = []
    times = {key: time_of(kind, row) for key, row in expected.items()}
    for page in pages:
        so_far |= set(by_key(page.rows.to_pylist(), kind))
        if page.covered is not None:
            claims.append(page.covered)
            claimed = {key for key, time_ms in times.items() if time_ms in page.covered}
            assert claimed <= so_far
            assert page.covered.end_ms <= NOW - 5 * MINUTE
            if kind is TRANSFER:
                assert "pending" not in {expected[key]["status"] for key in claimed}
    return claims


async def test_every_fill_of_three_months_arrives_once() -> None:
    expected = truth(FILL, orders=MANY_ORDERS)
    assert len(expected) > 8_000
    async with served(orders_per_account=MANY_ORDERS) as (sandbox, venue):
        pages = await read(open_account(venue), FILL)
    assert_once(rows_of(pages, FILL), expected, FILL)
    # Full pages and the empty one that is the end.
    assert sandbox.stats.requests[API + "trade/fills-history"] == -(-len(expected) // 100) + 1
    claims = assert_honest(pages, expected, FILL)
    assert claims[-1] == Span(NOW - 88 * DAY, NOW - 5 * MINUTE)
    assert len(claims) > 70


async def test_many_fills_of_one_millisecond_cross_the_edges_of_pages(source: AccountSource) -> None:
    pages = [page.rows.column("time").to_pylist() for page in await read(source, FILL)]
    crossing = [
        earlier[-1] for earlier, later in itertools.pairwise(pages) if earlier and later
        and earlier[-1] == later[0]
    ]  # fmt: skip
    assert len(crossing) > 3
    times = [time for page in pages for time in page]
    assert max(map(times.count, set(crossing))) > 100


async def test_a_trade_counts_by_its_own_time_not_by_its_booking(source: AccountSource) -> None:
    fills = sorted(truth(FILL).values(), key=lambda row: row["time"])
    for row in fills[700:800:50]:
        traded_ms, booked_ms = to_ms(row["time"]), to_ms(row["recorded_time"])
        assert booked_ms > traded_ms
        span = Span(traded_ms, traded_ms + 1)  # ends before it was booked
        assert_once(rows_of(await read(source, FILL, span), FILL), truth(FILL, span), FILL)
        after = Span(traded_ms + 1, booked_ms + 1)  # begins after it was traded
        assert row["fill_id"] not in [
            found["fill_id"] for found in rows_of(await read(source, FILL, after), FILL)
        ]


async def test_every_order_that_is_told_arrives_once() -> None:
    expected = truth(ORDER, orders=MANY_ORDERS)
    assert len(expected) > 2_000
    async with served(orders_per_account=MANY_ORDERS) as (sandbox, venue):
        pages = await read(open_account(venue), ORDER)
    assert_once(rows_of(pages, ORDER), expected, ORDER)
    # An order may finish months after it was created: nothing is ever claimed.
    assert [page.covered for page in pages] == [None] * len(pages)
    assert sandbox.stats.requests[API + "trade/orders-history"] < 10


@pytest.mark.parametrize(("hours", "is_told"), [(1, True), (3, False)])
async def test_a_cancelled_unfilled_order_is_told_for_two_hours(hours: int, is_told: bool) -> None:
    ledger = ledger_of("MM01", ORDERS, TRANSFERS)
    orders = [order for order in ledger.orders.orders(NOW) if order.ended_ms < NOW - 4 * HOUR]
    unfilled = next(order for order in orders[::-1] if not order.fills)
    assert unfilled.is_canceled
    now_ms = unfilled.ended_ms + hours * HOUR
    span = Span(unfilled.created_ms, now_ms)
    async with served(clock=fixed_clock(now_ms)) as (_, venue):
        rows = rows_of(await read(open_account(venue), ORDER, span), ORDER)
    expected = find_rows(ORDER, ledger, now_ms)
    assert_once(rows, {key: row for key, row in expected.items() if time_of(ORDER, row) in span}, ORDER)
    assert (str(unfilled.id) in {row["order_id"] for row in rows}) is is_told


async def test_an_old_order_that_filled_today_comes_by_its_creation(source: AccountSource) -> None:
    late = [
        row
        for row in truth(ORDER).values()
        if to_ms(row["created_time"]) < NOW - 8 * DAY and to_ms(row["updated_time"]) > NOW - 4 * DAY
    ]
    assert late
    created_ms = to_ms(late[0]["created_time"])
    span = Span(created_ms, created_ms + 1)
    assert_once(rows_of(await read(source, ORDER, span), ORDER), truth(ORDER, span), ORDER)


@pytest.mark.parametrize("swapped", [False, True], ids=["text", "example"])
async def test_every_transfer_arrives_once_by_either_reading_of_the_cursors(swapped: bool) -> None:
    async with served(okx_swaps_time_cursors=swapped, transfers_per_account=MANY_TRANSFERS) as (
        sandbox,
        venue,
    ):
        expected = truth(TRANSFER, transfers=MANY_TRANSFERS)
        kinds = [row["kind"] for row in expected.values()]
        assert min(kinds.count(kind) for kind in ("deposit", "withdrawal", "internal")) > 300
        pages = await read(open_account(venue), TRANSFER)
        assert_once(rows_of(pages, TRANSFER), expected, TRANSFER)
        claims = assert_honest(pages, expected, TRANSFER)
        # A deposit that got stuck months ago holds the last claim back.
        stuck = min(time_of(TRANSFER, row) for row in expected.values() if row["status"] == "pending")
        assert claims[-1] == Span(EVER.start_ms, stuck)
        assert sandbox.stats.requests[API + "asset/bills-history"] < 25


def test_records_of_one_millisecond_do_cross_edges_of_pages() -> None:
    everything = truth(TRANSFER, transfers=MANY_TRANSFERS).values()
    for kind in ("deposit", "withdrawal", "internal"):
        times = sorted(-time_of(TRANSFER, row) for row in everything if row["kind"] == kind)
        assert any(times[edge - 1] == times[edge] for edge in range(100, len(times), 99)), kind


async def test_deposits_withdrawals_and_moves_are_told_once_though_bills_tell_all_of_them(
    source: AccountSource,
) -> None:
    ledger = ledger_of("MM01", ORDERS, TRANSFERS)
    types = {one.bill_type for one in ledger.transfers.transfers(NOW)}
    assert types >= {"1", "2", "13", "130", "131", "20", "21", "22", "23", "61"}
    rows = rows_of(await read(source, TRANSFER), TRANSFER)
    off_chain = [row for row in rows if row["kind"] != "internal" and row["chain"] is None]
    assert len(off_chain) > 50  # of other users, and none of them an internal move
    assert {row["tx_id"] for row in off_chain} == {None}
    moves = [one for one in ledger.transfers.transfers(NOW) if one.kind == "move" and one.time_ms <= NOW]
    assert len([row for row in rows if row["kind"] == "internal"]) in (len(moves), len(moves) - 1)


@pytest.mark.parametrize("kind", [ORDER, FILL], ids=str)
async def test_one_symbol(sandbox: RunningSandbox, source: AccountSource, kind: DataKind) -> None:
    expected = {key: row for key, row in truth(kind).items() if row["symbol"] == str(BTC)}
    assert len(expected) > 150
    pages = await read(source, kind, symbol=BTC)
    assert_once(rows_of(pages, kind), expected, kind)
    assert sum(sandbox.stats.requests[API + path] for path in PATHS[kind]) <= len(expected) // 100 + 5
    if kind is FILL:
        assert pages[-1].covered == Span(NOW - 88 * DAY, NOW - 5 * MINUTE)


@pytest.mark.parametrize("kind", [ORDER, FILL, TRANSFER], ids=str)
async def test_a_span_in_the_middle(sandbox: RunningSandbox, source: AccountSource, kind: DataKind) -> None:
    span = Span(NOW - 70 * DAY + 1, NOW - 40 * DAY)
    expected = truth(kind, span)
    pages = await read(source, kind, span)
    assert_once(rows_of(pages, kind), expected, kind)
    # Nothing of the months after it is asked for.
    asked = sum(sandbox.stats.requests[API + path] for path in PATHS[kind])
    assert asked <= len(expected) // 100 + 10
    claims = assert_honest(pages, expected, kind)
    if kind is FILL:
        assert claims[-1] == span


@pytest.mark.parametrize("kind", [FILL, TRANSFER], ids=str)
async def test_a_killed_run_goes_on_where_it_was(kind: DataKind) -> None:
    span = Span(NOW - 80 * DAY, NOW)
    expected = truth(kind, span, transfers=MANY_TRANSFERS)
    found: Rows = {}
    claims: list[Span] = []
    async with served(transfers_per_account=MANY_TRANSFERS) as (_, venue):
        source = open_account(venue)
        async for page in source.ledger(kind, span):
            found |= by_key(page.rows.to_pylist(), kind)
            claims += [page.covered] if page.covered is not None else []
            if len(claims) > 4:
                break
        claimed = claims[-1]
        assert span.start_ms < claimed.start_ms < claimed.end_ms < span.end_ms
        for rest in (Span(span.start_ms, claimed.start_ms), Span(claimed.end_ms, span.end_ms)):
            rows = rows_of(await read(source, kind, rest), kind)
            assert_once(rows, truth(kind, rest, transfers=MANY_TRANSFERS), kind)
            found |= by_key(rows, kind)
    assert found == expected


@pytest.mark.parametrize("kind", [ORDER, FILL, TRANSFER], ids=str)
async def test_an_empty_account(kind: DataKind) -> None:
    async with served() as (_, venue):
        pages = await read(open_account(venue, "EMPTY"), kind)
        assert rows_of(pages, kind) == []
        assert pages[-1].covered == {
            ORDER: None,
            FILL: Span(NOW - 88 * DAY, NOW - 5 * MINUTE),
            TRANSFER: Span(EVER.start_ms, NOW - 5 * MINUTE),
        }[kind]  # fmt: skip


async def test_what_is_younger_than_the_settling_is_told_but_not_claimed(source: AccountSource) -> None:
    span = Span(NOW - 4 * MINUTE, NOW)
    for kind in (FILL, TRANSFER):
        pages = await read(source, kind, span)
        assert_once(rows_of(pages, kind), truth(kind, span), kind)
        assert {page.covered for page in pages} == {None}


@pytest.mark.parametrize(("kind", "days"), [(ORDER, 366), (FILL, 92)], ids=str)
async def test_what_is_out_of_reach_is_not_asked_for(
    sandbox: RunningSandbox, source: AccountSource, kind: DataKind, days: int
) -> None:
    assert source.reach_ms(kind, NOW) == NOW - days * DAY
    assert source.tells_all_from_ms(kind, NOW) == NOW - 88 * DAY
    assert await read(source, kind, Span(NOW - 400 * DAY, NOW - days * DAY)) == []
    assert sum(sandbox.stats.requests[API + path] for path in PATHS[kind]) == 0


async def test_transfers_reach_back_to_the_beginning_and_moves_to_2021(
    sandbox: RunningSandbox, source: AccountSource
) -> None:
    began_ms = parse_time("2017-01-01")
    assert source.reach_ms(TRANSFER, NOW) == source.tells_all_from_ms(TRANSFER, NOW) == began_ms
    span = Span(parse_time("2018-01-01"), parse_time("2021-02-01"))
    pages = await read(source, TRANSFER, span)
    assert pages[-1].covered == span
    assert sandbox.stats.requests[API + "asset/bills-history"] == 0


async def test_kinds_and_symbols_that_make_no_sense(source: AccountSource) -> None:
    with pytest.raises(InputError, match="no ledger of kline"):
        source.ledger(DataKind.KLINE, EVER)
    with pytest.raises(InputError, match=r"no ledger of transfer of BTC_USDT\.OKX"):
        source.ledger(TRANSFER, EVER, BTC)
    with pytest.raises(SymbolNotListedError):
        await read(source, FILL, EVER, Symbol.parse("BTC_USDT.BNC"))
    with pytest.raises(SymbolNotListedError, match="51001"):
        await read(source, FILL, EVER, Symbol.parse("NOSUCH_USDT.OKX"))


async def plan_faults(sandbox: RunningSandbox, *faults: dict[str, Any]) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.post(sandbox.url + "/sandbox/faults", data=orjson.dumps(faults)) as answer,
    ):
        assert answer.status == 200, await answer.text()


TROUBLE = ("disconnect", "truncate", "garbage", "html", "status", "duplicate_page", "reverse_page")


@pytest.mark.parametrize("kind", [ORDER, FILL, TRANSFER], ids=str)
async def test_one_answer_in_five_goes_wrong_and_nothing_is_lost(kind: DataKind) -> None:
    async with served() as (sandbox, venue):
        faults = [
            {"path": API + path, "kind": trouble, "times": 0, "rate": 0.2 / len(TROUBLE)}
            for path in PATHS[kind] for trouble in TROUBLE
        ]  # fmt: skip
        await plan_faults(sandbox, *faults)
        source = open_account(venue)
        expected = truth(kind)
        for _ in range(10):  # as the engine would, though without its claims
            try:
                rows = rows_of(await read(source, kind), kind)
            except VenueError as error:
                assert error.retryable
                continue
            assert_once(rows, expected, kind)
            return
        raise AssertionError("never got through")


async def test_the_budget_of_each_endpoint_is_kept_by_account() -> None:
    span = Span(NOW - 15 * DAY, NOW - MINUTE)
    limited = {"clock": clock_starting_at(NOW), "okx_limits_enforced": True}
    counts = {"orders_per_account": MANY_ORDERS, "transfers_per_account": 150}
    async with served(**limited, **counts) as (sandbox, venue):
        source = open_account(venue, is_limited=True)
        pages = {kind: await read(source, kind, span) for kind in (FILL, TRANSFER)}
        limits = [budget_of(venue, f"MM01 {name}").limit for kind in PATHS for name in PATHS[kind]]
    for kind, told in pages.items():
        rows = by_key(rows_of(told, kind), kind)
        assert set(rows) == set(truth(kind, span, orders=MANY_ORDERS, transfers=150))
    assert limits == [40, 20, 10, 6, 6, 1]
    assert {status for _, status in sandbox.stats.replies} == {200}
    assert sandbox.stats.requests[API + "trade/fills-history"] > 10


Serve = Callable[[Callable[[web.Request], Any]], Any]


def scripted(*pages: list[dict[str, str]]) -> Callable[[web.Request], Any]:
    """The given pages, one after the other, then empty ones; the venue's clock stands at NOW."""
    waiting = list(pages)

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/public/time"):
            return web.json_response({"code": "0", "msg": "", "data": [{"ts": str(NOW)}]})
        data = waiting.pop(0) if waiting else []
        return web.json_response({"code": "0", "msg": "", "data": data})

    return answer


def fill(number: int, **changes: str) -> dict[str, str]:
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "tradeId": "7", "ordId": "5", "clOrdId": "",
        "billId": str(number), "fillPx": "10", "fillSz": "1", "side": "buy", "execType": "T",
        "feeCcy": "BTC", "fee": "-0.1", "ts": str(NOW - HOUR + number), "fillTime": str(NOW - HOUR + number),
    } | changes  # fmt: skip


async def ask_script(serve: Serve, *pages: list[dict[str, str]], kind: DataKind = FILL) -> list[LedgerPage]:
    venue = create_venue({"base_url": await serve(scripted(*pages))})
    try:
        return await read(open_account(venue), kind, Span(NOW - DAY, NOW), BTC if kind is FILL else None)
    finally:
        await venue.close()


async def test_nonsense_is_reported_beside_the_rows(serve: Serve) -> None:
    pages = await ask_script(serve, [fill(3), fill(2, fillPx="NaN"), fill(1)])
    assert [page.rows.column("fill_id").to_pylist() for page in pages] == [["3", "1"], []]
    ((reject,), ()) = (page.rejected for page in pages)
    assert (reject.key, reject.span.start_ms) == ("2", NOW - HOUR + 2)


async def test_nonsense_outside_of_the_span_is_not_reported(serve: Serve) -> None:
    old = str(NOW - DAY - 1)
    pages = await ask_script(serve, [fill(3), fill(1, fillPx="NaN", fillTime=old, ts=old)])
    assert [len(page.rows) for page in pages] == [1, 0]
    assert not any(page.rejected for page in pages)


async def test_bookings_are_asked_for_on_both_sides_of_the_span(serve: Serve) -> None:
    bounds = []
    empty = scripted()

    async def answer(request: web.Request) -> web.Response:
        bounds.append([int(request.query[name]) for name in ("begin", "end") if name in request.query])
        response: web.Response = await empty(request)
        return response

    venue = create_venue({"base_url": await serve(answer)})
    await read(open_account(venue), FILL, Span(NOW - DAY, NOW))
    await venue.close()
    assert bounds[-1] == [NOW - DAY - 5 * MINUTE, NOW + 5 * MINUTE]


async def test_fills_of_another_symbol_than_asked_for_are_refused(serve: Serve) -> None:
    with pytest.raises(VenueProtocolError, match="asked for BTC-USDT, and others came"):
        await ask_script(serve, *[[fill(3), fill(2, instId="ETH-USDT")]] * 3)


async def test_a_page_that_cannot_be_trusted_is_asked_for_again(serve: Serve) -> None:
    good, bad = [fill(3)], [fill(3, ts="")]
    pages = await ask_script(serve, bad, bad, good)
    assert [len(page.rows) for page in pages] == [1, 0]
    with pytest.raises(VenueProtocolError, match="ts '' is not a time"):
        await ask_script(serve, bad, bad, bad, good)


def order(number: int, **changes: str) -> dict[str, str]:
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "ordId": str(number), "px": "10", "sz": "1",
        "ordType": "limit", "side": "buy", "accFillSz": "1", "avgPx": "10", "state": "filled",
        "uTime": str(NOW - HOUR + 5), "cTime": str(NOW - HOUR),
    } | changes  # fmt: skip


async def test_of_two_states_of_an_order_the_newer_one_comes_last(serve: Serve) -> None:
    newer = {"uTime": str(NOW - HOUR + 6), "accFillSz": "0.5", "state": "canceled"}
    older = {"uTime": str(NOW - HOUR + 4), "side": "sell"}
    recent = [order(4), order(3), order(2)]
    archive = [order(4, **newer), order(3), order(2, **older), order(1)]
    pages = await ask_script(serve, recent, [], archive, kind=ORDER)
    told = [(row["order_id"], row["status"], row["side"]) for row in rows_of(pages, ORDER)]
    assert told == [
        ("4", "filled", "buy"), ("3", "filled", "buy"), ("2", "filled", "buy"),
        ("4", "canceled", "buy"), ("1", "filled", "buy"),
    ]  # fmt: skip
