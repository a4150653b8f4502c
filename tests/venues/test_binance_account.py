"""Accounts through the sandbox, which verifies signatures to the byte: balances, rights, refusals, clocks."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from aiohttp import web

from markethub.domain.errors import (
    InputError,
    KeyRefusedError,
    PermissionRefusedError,
    VenueProtocolError,
    VenueThrottledError,
)
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account
from markethub.domain.times import parse_time
from markethub.ports.keys import ApiKey
from markethub.ports.venue import AccountSource, KeyRights, Venue
from markethub.sandbox import RunningSandbox, SandboxSettings, running_sandbox
from markethub.sandbox.accounts import ACCOUNTS, SandboxAccount
from markethub.sandbox.binance.wallets import Wallets
from markethub.sandbox.listings import SymbolCatalog
from markethub.tables.balances import BALANCES
from markethub.venues.binance import create_venue
from tests.budgets import budget_of

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

NOW = parse_time("2025-06-17T15:20:30Z")
PLAYED = {one.name: one for one in ACCOUNTS if one.venue == "BNC"}


@dataclass
class HandClock:
    now_ms: int = NOW

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sandbox(clock: HandClock) -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxSettings(clock=clock)) as running:
        yield running


@pytest.fixture
async def venue(sandbox: RunningSandbox) -> AsyncIterator[Venue]:
    venue = create_venue({"base_url": sandbox.url, "archive_url": sandbox.url, "quick_retries": "0"})
    yield venue
    await venue.close()


def source_of(venue: Venue, name: str, secret: str | None = None) -> AccountSource:
    played = PLAYED[name]
    return venue.account(Account("BNC", name), ApiKey(played.key, secret or played.secret))


def owned(played: SandboxAccount) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Free and total by wallet and asset, as the sandbox made them up."""
    wallets = Wallets(SymbolCatalog(), SandboxSettings().seed)
    found = {}
    for wallet, holdings in (("trading", wallets.spot(played)), ("funding", wallets.funding(played))):
        for one in holdings:
            if one.total_e8:
                found[wallet, one.asset] = (
                    Decimal(one.free_e8).scaleb(-8),
                    Decimal(one.total_e8).scaleb(-8),
                )
    return found


@pytest.mark.parametrize("name", ["MM01", "RICH"])
async def test_both_wallets_to_the_last_digit_under_one_time(venue: Venue, name: str) -> None:
    rows = await source_of(venue, name).balances()
    assert rows.schema.equals(BALANCES.schema)
    read = {(row["wallet"], row["asset"]): (row["free"], row["total"]) for row in rows.to_pylist()}
    assert read == owned(PLAYED[name])
    assert len(rows) > 40
    assert {wallet for wallet, _ in read} == {"trading", "funding"}
    (time_ms,) = set(rows["time"].cast("int64").to_pylist())
    assert NOW <= time_ms < NOW + 60_000
    assert set(rows["account"].to_pylist()) == {f"BNC_{name}"}


async def test_the_huge_amount_with_8_decimals_is_exact(venue: Venue) -> None:
    rows = (await source_of(venue, "MM01").balances()).to_pylist()
    (huge,) = [row for row in rows if row["asset"] == "PEPE"]
    assert huge["free"] == Decimal("987654321098765.43210123")
    assert huge["total"] == Decimal("987666666777666.66666912")


async def test_the_trap_of_the_empty_account(venue: Venue) -> None:
    rows = await source_of(venue, "EMPTY").balances()
    assert rows.schema.equals(BALANCES.schema)
    assert len(rows) == 0


@pytest.mark.parametrize(
    ("name", "rights"),
    [
        ("MM01", KeyRights(can_read=True, can_trade=True, can_withdraw=False, is_ip_bound=False)),
        ("EMPTY", KeyRights(can_read=True, can_trade=False, can_withdraw=False, is_ip_bound=False)),
        ("RICH", KeyRights(can_read=True, can_trade=True, can_withdraw=True, is_ip_bound=False)),
    ],
)
async def test_rights(venue: Venue, name: str, rights: KeyRights) -> None:
    assert await source_of(venue, name).rights() == rights


@pytest.mark.parametrize("name", ["BLIND", "ELSEWHERE"])
async def test_one_code_for_key_address_and_permission(venue: Venue, name: str) -> None:
    source = source_of(venue, name)
    for ask in (source.rights, source.balances):
        with pytest.raises(
            PermissionRefusedError, match=r"-2015 .*key exists.*IP address.*permission to read"
        ):
            await ask()


async def test_a_key_that_the_venue_does_not_know(venue: Venue) -> None:
    stranger = venue.account(Account("BNC", "MM01"), ApiKey("nobodys-key", "nobodys-secret"))
    with pytest.raises(PermissionRefusedError, match=r"spot wallet of BNC_MM01: HTTP 401 -2015"):
        await stranger.balances()


async def test_a_wrong_secret_and_a_malformed_key_are_told_apart(venue: Venue) -> None:
    with pytest.raises(KeyRefusedError, match=r"-1022 .*secret belongs to the key"):
        await source_of(venue, "MM01", "not-the-secret").balances()
    malformed = venue.account(Account("BNC", "MM01"), ApiKey("no_key!", "secret"))
    with pytest.raises(KeyRefusedError, match=r"-2014 .*check the key"):
        await malformed.rights()


async def test_the_secret_is_in_no_message_and_no_log(venue: Venue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "a-secret-nobody-may-see"
    with pytest.raises(KeyRefusedError) as caught:
        await source_of(venue, "MM01", secret).balances()
    assert secret not in str(caught.value)
    assert "signature=" not in str(caught.value)
    assert secret not in caplog.text
    assert PLAYED["MM01"].key not in caplog.text


async def test_the_trap_of_a_clock_that_jumps_is_met_by_measuring_again(
    venue: Venue, clock: HandClock, sandbox: RunningSandbox
) -> None:
    source = source_of(venue, "MM01")
    await source.balances()
    clock.now_ms += 30_000  # our bound is now half a minute behind: -1021
    rows = await source.balances()
    assert min(rows["time"].cast("int64").to_pylist()) >= clock.now_ms
    assert sandbox.stats.replies["/api/v3/account", 400] == 1
    assert sandbox.stats.requests["/api/v3/time"] == 2


async def test_a_clock_that_cannot_be_met_ends_after_one_resync() -> None:
    class Runaway(HandClock):
        def __call__(self) -> int:
            self.now_ms += 10_000
            return self.now_ms

    async with running_sandbox(SandboxSettings(clock=Runaway())) as running:
        venue = create_venue({"base_url": running.url, "archive_url": running.url})
        with pytest.raises(KeyRefusedError, match=r"-1021 .*time of this machine's requests"):
            await source_of(venue, "MM01").balances()
        assert running.stats.requests["/api/v3/account"] == 2
        await venue.close()


async def test_accounts_share_sessions_and_budgets_and_each_is_listed(venue: Venue) -> None:
    for name in ("MM01", "RICH"):
        await source_of(venue, name).balances()
        await source_of(venue, name).rights()
    assert [limits.name for limits in venue.limits()] == [
        "BNC request weight",
        "BNC sapi weight",
        "BNC archive",
    ]
    assert budget_of(venue, "request weight").used == 1 + 20 + 20
    assert (budget_of(venue, "sapi weight").used, budget_of(venue, "sapi weight").limit) == (4, 12_000)


async def test_sapi_has_a_limit_of_its_own_and_says_so() -> None:
    settings = SandboxSettings(clock=HandClock(), sapi_weight_per_minute=1)
    async with running_sandbox(settings) as running:
        venue = create_venue({"base_url": running.url, "archive_url": running.url, "patience_s": "0"})
        source = source_of(venue, "MM01")
        await source.rights()
        with pytest.raises(VenueThrottledError, match=r"key permissions of BNC_MM01: HTTP 429 -1003"):
            await source.rights()
        assert budget_of(venue, "sapi weight").closed_until_ms is not None
        assert budget_of(venue, "request weight").closed_until_ms is None
        await venue.market.listing()  # type: ignore[union-attr]  # the other door is open
        await venue.close()


async def test_ledgers_are_refused_in_words(venue: Venue) -> None:
    source = source_of(venue, "MM01")
    for kind in (DataKind.ORDER, DataKind.FILL, DataKind.TRANSFER):
        with pytest.raises(InputError, match=f"BNC does not support {kind}"):
            source.ledger(kind, Span(0, 1))
        with pytest.raises(InputError, match=f"BNC does not support {kind}"):
            source.reach_ms(kind, NOW)


async def test_an_answer_that_is_no_account(serve: Serve) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v3/time":
            return web.json_response({"serverTime": NOW})
        return web.Response(text="<html>maintenance</html>", content_type="text/html")

    venue = create_venue({"base_url": await serve(handle)})
    for ask in (source_of(venue, "MM01").balances, source_of(venue, "MM01").rights):
        with pytest.raises(VenueProtocolError, match="not JSON"):
            await ask()
    await venue.close()


async def test_a_ban_below_api_silences_sapi_too(serve: Serve) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path == "/api/v3/time":
            return web.json_response({"serverTime": NOW})
        refusal = {"code": -1003, "msg": "Way too much request weight used; IP banned."}
        return web.json_response(refusal, status=418, headers={"Retry-After": "300"})

    venue = create_venue({"base_url": await serve(handle)})
    source = source_of(venue, "MM01")
    for ask in (source.balances, source.rights, source.balances):
        with pytest.raises(VenueThrottledError) as caught:
            await ask()
        assert 290 < caught.value.retry_after_s < 301
    assert asked == ["/api/v3/time", "/api/v3/account"]
    await venue.close()
