"""OKX's ledger endpoints as the sandbox plays them: depth, cursors, refusals and limits by account."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from markethub.domain.errors import InputError
from markethub.domain.times import format_time, from_ms
from markethub.sandbox import SandboxSettings
from markethub.sandbox.okx.ledger_slots import opened_ms
from tests.okx_ledger_truth import DAY, HOUR, KEPT, find_okx, ledger_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from markethub.sandbox.okx.ledger_transfers import Transfer
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

    Ask = Callable[..., Awaitable[list[dict[str, Any]]]]
    Refused = Callable[[str, dict[str, str]], Awaitable[tuple[int, dict[str, Any]]]]

ORDERS, TRANSFERS = 1000, 1500
HISTORY, ARCHIVE = "trade/orders-history", "trade/orders-history-archive"
FILLS, BILLS = "trade/fills-history", "asset/bills-history"
DEPOSITS, WITHDRAWALS = "asset/deposit-history", "asset/withdrawal-history"
ALL = (HISTORY, ARCHIVE, FILLS, BILLS, DEPOSITS, WITHDRAWALS)


async def send(
    browser: Browser, clock: HandClock, path: str, name: str = "MM01", **query: object
) -> tuple[int, dict[str, Any]]:
    one = find_okx(name)
    target = f"/api/v5/{path}" + (f"?{urlencode(query)}" if query else "")
    moment = from_ms(clock.now_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    digest = hmac.digest(one.secret.encode(), f"{moment}GET{target}".encode(), hashlib.sha256)
    headers = {
        "OK-ACCESS-KEY": one.key,
        "OK-ACCESS-SIGN": base64.b64encode(digest).decode(),
        "OK-ACCESS-TIMESTAMP": moment,
        "OK-ACCESS-PASSPHRASE": one.passphrase,
    }
    reply = await browser.get(target, headers)
    return reply.status, reply.json()


@pytest.fixture
def settings(clock: HandClock) -> SandboxSettings:
    return SandboxSettings(
        clock=clock,
        okx_limits_enforced=False,
        orders_per_account=ORDERS,
        transfers_per_account=TRANSFERS,
    )


@pytest.fixture
async def ask(browse: StartSandbox, clock: HandClock, settings: SandboxSettings) -> Ask:
    browser = await browse(settings)

    async def get(path: str, name: str = "MM01", **query: object) -> list[dict[str, Any]]:
        if path.startswith("trade/"):
            query = {"instType": "SPOT"} | query
        status, envelope = await send(browser, clock, path, name, **query)
        assert (status, envelope["code"]) == (200, "0"), envelope
        rows: list[dict[str, Any]] = envelope["data"]
        return rows

    return get


@pytest.fixture
async def refused(browse: StartSandbox, clock: HandClock) -> Refused:
    browser = await browse(SandboxSettings(clock=clock, orders_per_account=10, transfers_per_account=10))

    async def get(path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        return await send(browser, clock, path, "MM01", **query)

    return get


def ids(rows: list[dict[str, Any]], name: str) -> list[int]:
    return [int(row[name]) for row in rows]


async def walk(ask: Ask, path: str, name: str, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, object] = {}
    while page := await ask(path, **query, **cursor):
        found += page
        cursor = {"after": page[-1][name]}
    return found


async def test_orders_come_newest_id_first_which_is_not_newest_time_first(ask: Ask) -> None:
    rows = await walk(ask, ARCHIVE, "ordId")
    assert ids(rows, "ordId") == sorted(ids(rows, "ordId"), reverse=True)
    assert ids(rows, "cTime") != sorted(ids(rows, "cTime"), reverse=True)
    assert len(rows) > 500


async def test_the_archive_holds_what_ended_in_three_months_and_nothing_unfilled(
    ask: Ask, clock: HandClock
) -> None:
    orders = ledger_of("MM01", ORDERS, TRANSFERS).orders.orders(clock.now_ms)
    expected = {
        order.id
        for order in orders
        if order.fills and clock.now_ms - KEPT < order.ended_ms <= clock.now_ms
        and order.created_ms >= opened_ms(clock.now_ms)
    }  # fmt: skip
    rows = await walk(ask, ARCHIVE, "ordId")
    assert set(ids(rows, "ordId")) == expected
    assert "0" not in {row["accFillSz"] for row in rows}
    assert min(ids(rows, "cTime")) < clock.now_ms - KEPT  # created before, ended after


async def test_seven_days_count_from_the_end_of_an_order(ask: Ask, clock: HandClock) -> None:
    rows = await walk(ask, HISTORY, "ordId")
    assert min(ids(rows, "uTime")) > clock.now_ms - 7 * DAY
    assert min(ids(rows, "cTime")) < clock.now_ms - 7 * DAY
    unfilled = [row for row in rows if row["accFillSz"] == "0"]
    assert all(int(row["uTime"]) > clock.now_ms - 2 * HOUR for row in unfilled)


async def test_an_unfilled_order_vanishes_after_two_hours(ask: Ask, clock: HandClock) -> None:
    orders = ledger_of("MM01", ORDERS, TRANSFERS).orders.orders(clock.now_ms)
    unfilled = next(one for one in orders[::-1] if not one.fills and one.ended_ms < clock.now_ms - 4 * HOUR)
    for after_ms, is_shown in ((-1, False), (0, True), (2 * HOUR - 1, True), (2 * HOUR, False)):
        clock.now_ms = unfilled.ended_ms + after_ms
        rows = await ask(HISTORY, begin=unfilled.created_ms, end=unfilled.created_ms)
        assert [row["state"] for row in rows] == ["canceled"] * is_shown
        assert await ask(ARCHIVE, begin=unfilled.created_ms, end=unfilled.created_ms) == []


async def test_cursors_are_exclusive_and_bounds_inclusive(ask: Ask) -> None:
    for path, name, time in ((ARCHIVE, "ordId", "cTime"), (FILLS, "billId", "ts")):
        page = await ask(path)
        assert len(page) == 100
        middle = page[50]
        assert ids(await ask(path, after=middle[name], limit=5), name) == ids(page[51:56], name)
        newer = ids(await ask(path, before=middle[name]), name)
        assert newer == ids(page[:50], name)
        both = await ask(path, after=page[10][name], before=page[20][name])
        assert ids(both, name) == ids(page[11:20], name)
        exactly = await ask(path, begin=middle[time], end=middle[time])
        assert middle in exactly
        assert {row[time] for row in exactly} == {middle[time]}


async def test_too_many_rows_are_cut_next_to_after_or_end(ask: Ask, clock: HandClock) -> None:
    begin, end = clock.now_ms - 60 * DAY, clock.now_ms - 20 * DAY
    for path, name, time in ((ARCHIVE, "ordId", "cTime"), (FILLS, "billId", "ts")):
        everything = [row for row in await walk(ask, path, name) if begin <= int(row[time]) <= end]
        assert await ask(path, begin=begin, end=end) == everything[:100]
        cursor = everything[30][name]
        assert await ask(path, begin=begin, end=end, after=cursor) == everything[31:131]
        assert await ask(path, end=end) == everything[:100]


async def test_begin_alone_means_its_neighbours_for_orders_and_the_newest_for_fills(
    ask: Ask, clock: HandClock
) -> None:
    begin = clock.now_ms - 60 * DAY
    orders = [row for row in await walk(ask, ARCHIVE, "ordId") if int(row["cTime"]) >= begin]
    assert await ask(ARCHIVE, begin=begin) == orders[-100:]
    fills = await walk(ask, FILLS, "billId")
    assert await ask(FILLS, begin=begin) == fills[:100]


async def test_bills_ascend_with_their_booking_and_trades_do_not(ask: Ask, clock: HandClock) -> None:
    rows = await walk(ask, FILLS, "billId")
    assert ids(rows, "ts") == sorted(ids(rows, "ts"), reverse=True)
    assert ids(rows, "fillTime") != sorted(ids(rows, "fillTime"), reverse=True)
    assert all(row["fillTime"] < row["ts"] for row in rows)
    assert min(ids(rows, "ts")) > clock.now_ms - KEPT
    assert len(set(ids(rows, "billId"))) == len(rows)
    trades = [(row["instId"], row["tradeId"]) for row in rows]
    assert len(set(trades)) == len(rows) > len({trade for _, trade in trades})


async def test_fills_of_a_live_order_are_told(ask: Ask, clock: HandClock) -> None:
    orders = ledger_of("MM01", ORDERS, TRANSFERS).orders.orders(clock.now_ms)
    live = next(
        order for order in orders
        if len({fill.booked_ms for fill in order.fills}) > 2 and order.created_ms > clock.now_ms - 30 * DAY
    )  # fmt: skip
    booked = sorted(fill.booked_ms for fill in live.fills)
    clock.now_ms = booked[1]
    shown = [row for row in await ask(FILLS, instId=live.pair.name) if row["ordId"] == str(live.id)]
    assert set(ids(shown, "ts")) == set(booked[:2])
    assert len(shown) < len(live.fills)


async def test_one_instrument(ask: Ask) -> None:
    for path in (HISTORY, ARCHIVE, FILLS):
        assert {row["instId"] for row in await ask(path, instId="ETH-USDT")} == {"ETH-USDT"}
        assert await ask(path, instType="SWAP") == []


async def test_a_market_buy_by_value_has_its_size_in_quote_currency(ask: Ask) -> None:
    rows = await walk(ask, ARCHIVE, "ordId")
    by_value = [row for row in rows if row["tgtCcy"] == "quote_ccy"]
    assert by_value
    for row in by_value:
        assert (row["ordType"], row["side"], row["px"]) == ("market", "buy", "")
        value = float(row["avgPx"]) * float(row["accFillSz"])
        assert float(row["sz"]) == pytest.approx(value, rel=0.05)
    sold = [row for row in rows if row["ordType"] == "market" and row["side"] == "sell"]
    assert {row["tgtCcy"] for row in sold} == {"base_ccy"}


def happened(clock: HandClock, *kinds: str) -> list[Transfer]:
    transfers = ledger_of("MM01", ORDERS, TRANSFERS).transfers.transfers(clock.now_ms)
    return [
        one for one in transfers
        if one.kind in kinds and opened_ms(clock.now_ms) <= one.time_ms <= clock.now_ms
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["deposit", "withdrawal"])
async def test_time_cursors_are_exclusive_and_ids_are_in_no_order(
    ask: Ask, clock: HandClock, kind: str
) -> None:
    path, name = (DEPOSITS, "depId") if kind == "deposit" else (WITHDRAWALS, "wdId")
    page = await ask(path)
    times = ids(page, "ts")
    assert times == sorted(times, reverse=True)
    assert ids(page, name) != sorted(ids(page, name), reverse=True)
    assert max(ids(await ask(path, after=times[50]), "ts")) < times[50]
    assert ids(await ask(path, before=times[50]), "ts") == [time for time in times if time > times[50]]
    found, cursor = [], clock.now_ms + 1
    while page := await ask(path, after=cursor, limit=20):
        found += ids(page, name)
        cursor = int(page[-1]["ts"])
    # By these cursors alone the records of one millisecond across a page's edge are lost.
    everything = {one.id for one in happened(clock, kind)}
    assert set(found) < everything
    assert len(everything) > 300


async def test_the_example_of_the_guide_has_the_time_cursors_the_other_way_round(
    browse: StartSandbox, clock: HandClock
) -> None:
    swapped = SandboxSettings(clock=clock, transfers_per_account=TRANSFERS, okx_swaps_time_cursors=True)
    browser = await browse(swapped)
    time_ms = clock.now_ms - 50 * DAY
    _, older = await send(browser, clock, DEPOSITS, before=time_ms)
    assert max(ids(older["data"], "ts")) < time_ms
    _, newer = await send(browser, clock, DEPOSITS, after=time_ms)
    assert min(ids(newer["data"], "ts")) > time_ms


async def test_states_change_as_time_goes_by(ask: Ask, clock: HandClock) -> None:
    one = next(one for one in happened(clock, "withdrawal")[::-1] if one.final_state == "-2")
    told = []
    for time_ms in (one.time_ms - 1, one.time_ms, one.settled_ms - 1, one.settled_ms):
        clock.now_ms = time_ms
        told.append({row["wdId"]: row["state"] for row in await ask(WITHDRAWALS)}.get(str(one.id)))
    assert told == [None, "0", "1", "-2"]


async def test_bills_tell_everything_thirty_seconds_late(ask: Ask, clock: HandClock) -> None:
    everything = happened(clock, "deposit", "withdrawal", "move", "other")
    rows = await walk(ask, BILLS, "billId", pagingType=2)
    assert ids(rows, "billId") == sorted((one.bill_id for one in everything), reverse=True)
    last = everything[-1]
    clock.now_ms = last.time_ms + 29_999
    assert str(last.bill_id) not in {row["billId"] for row in await ask(BILLS)}
    clock.now_ms += 1
    assert str(last.bill_id) in {row["billId"] for row in await ask(BILLS)}


async def test_bills_are_paged_by_time_unless_asked_otherwise(ask: Ask) -> None:
    page = await ask(BILLS)
    row = page[40]
    assert await ask(BILLS, pagingType=1, after=row["ts"]) == await ask(BILLS, after=row["ts"])
    assert (await ask(BILLS, pagingType=2, after=row["billId"]))[:59] == page[41:]
    # A time is far below any id.
    assert await ask(BILLS, pagingType=2, after=row["ts"]) == []


async def test_filters_of_the_funding_account(ask: Ask) -> None:
    assert {row["type"] for row in await ask(BILLS, type="131")} == {"131"}
    for path in (BILLS, DEPOSITS, WITHDRAWALS):
        assert {row["ccy"] for row in await ask(path, ccy="USDT")} == {"USDT"}


async def test_accounts_have_ledgers_of_their_own_and_the_empty_one_none(ask: Ask) -> None:
    for path in ALL:
        assert await ask(path, name="EMPTY") == []
        mine, other = await ask(path), await ask(path, name="RICH")
        assert mine
        assert not {str(row) for row in mine} & {str(row) for row in other}


async def test_equal_settings_tell_equal_ledgers(
    browse: StartSandbox, clock: HandClock, settings: SandboxSettings, ask: Ask
) -> None:
    again = await browse(settings)
    for path in ALL:
        query = {"instType": "SPOT"} if path.startswith("trade/") else {}
        _, envelope = await send(again, clock, path, **query)
        assert envelope["data"] == await ask(path)


async def test_a_ledger_grows_as_the_clock_goes_on(ask: Ask, clock: HandClock) -> None:
    before = await walk(ask, FILLS, "billId")
    bills = await ask(BILLS, pagingType=2)
    clock.now_ms += 5 * DAY
    after = await walk(ask, FILLS, "billId")
    kept = [row for row in before if int(row["ts"]) > clock.now_ms - KEPT]
    assert after[-len(kept) :] == kept
    assert len(after) > len(kept) + 50
    later = await walk(ask, BILLS, "billId", pagingType=2)
    assert bills[0] in later
    assert later.index(bills[0]) > 30


async def test_a_clock_that_is_set_back_finds_what_was(ask: Ask, clock: HandClock) -> None:
    first = {path: await ask(path) for path in ALL}
    clock.now_ms += 200 * DAY
    assert all([await ask(path) for path in ALL])
    clock.now_ms -= 350 * DAY
    assert all([await ask(path) for path in ALL])
    clock.now_ms += 150 * DAY
    assert {path: await ask(path) for path in ALL} == first


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    ("name", "text"),
    [("limit", "0"), ("limit", "x"), ("after", "-1"), ("before", "1.5"), ("begin", "now"), ("end", "x")],
)
async def test_bad_numbers_are_refused(refused: Refused, path: str, name: str, text: str) -> None:
    status, envelope = await refused(path, {"instType": "SPOT", name: text})
    assert (status, envelope) == (400, {"code": "51000", "msg": f"Parameter {name} error", "data": []})


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        (HISTORY, {}, 400, "50014"),
        (ARCHIVE, {"instType": "STOCK"}, 400, "51000"),
        (FILLS, {"instType": "SPOT", "instId": "NO-SUCH"}, 200, "51001"),
        (FILLS, {"instType": "SWAP", "instId": "BTC-USDT"}, 200, "51001"),
        (BILLS, {"pagingType": "3"}, 400, "51000"),
    ],
)
async def test_refusals(refused: Refused, path: str, query: dict[str, str], status: int, code: str) -> None:
    told, envelope = await refused(path, query)
    assert (told, envelope["code"]) == (status, code)


async def test_more_than_a_page_gives_a_page(ask: Ask) -> None:
    for path in ALL:
        assert len(await ask(path, limit=500)) <= 100
        assert len(await ask(path, limit=3)) == 3


@pytest.mark.parametrize(
    ("path", "limit", "window_ms"),
    [
        (HISTORY, 40, 2_000),
        (ARCHIVE, 20, 2_000),
        (FILLS, 10, 2_000),
        (DEPOSITS, 6, 1_000),
        (WITHDRAWALS, 6, 1_000),
        (BILLS, 1, 1_000),
    ],
)
async def test_requests_are_counted_by_account_and_endpoint(
    browse: StartSandbox, clock: HandClock, path: str, limit: int, window_ms: int
) -> None:
    clock.now_ms -= clock.now_ms % 2_000
    browser = await browse(SandboxSettings(clock=clock, orders_per_account=10, transfers_per_account=10))
    statuses = [(await send(browser, clock, path, instType="SPOT"))[0] for _ in range(limit + 1)]
    assert statuses == [200] * limit + [429]
    assert (await send(browser, clock, path, "RICH", instType="SPOT"))[0] == 200
    clock.now_ms += window_ms - 1
    assert (await send(browser, clock, path, instType="SPOT"))[1]["code"] == "50011"
    clock.now_ms += 1
    assert (await send(browser, clock, path, instType="SPOT"))[0] == 200


@pytest.mark.parametrize("name", ["orders_per_account", "transfers_per_account"])
def test_an_account_has_at_least_one_of_each(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} 0 is not above 0"):
        SandboxSettings(**{name: 0})  # type: ignore[arg-type]


def test_the_history_begins_four_to_five_months_ago(clock: HandClock) -> None:
    for _ in range(60):
        age = clock.now_ms - opened_ms(clock.now_ms)
        assert 120 * DAY <= age < 150 * DAY, format_time(clock.now_ms)
        clock.now_ms += DAY
