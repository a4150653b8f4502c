"""OKX's signed requests as the sandbox checks them: to the byte, with the documented refusals."""

from __future__ import annotations

import base64
import hashlib
import hmac
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from markethub.domain.times import format_time, parse_time
from markethub.sandbox import SandboxSettings
from markethub.sandbox.accounts import ACCOUNTS, SandboxAccount

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

CONFIG, BALANCE, FUNDS = "/api/v5/account/config", "/api/v5/account/balance", "/api/v5/asset/balances"
KNOWN = {one.name: one for one in ACCOUNTS if one.venue == "OKX"}
MM01 = KNOWN["MM01"]


def sign(one: SandboxAccount, moment: str, target: str) -> dict[str, str]:
    digest = hmac.new(one.secret.encode(), f"{moment}GET{target}".encode(), hashlib.sha256).digest()
    return {
        "OK-ACCESS-KEY": one.key,
        "OK-ACCESS-SIGN": base64.b64encode(digest).decode(),
        "OK-ACCESS-TIMESTAMP": moment,
        "OK-ACCESS-PASSPHRASE": one.passphrase,
    }


def moment_at(time_ms: int) -> str:
    return format_time(time_ms - time_ms % 1000).replace("Z", f".{time_ms % 1000:03d}Z")


async def send(browser: Browser, target: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Send the target as it is spelled."""
    url = URL(browser.sandbox.url + target, encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
        return reply.status, await reply.json()


async def ask(browser: Browser, clock: HandClock, target: str, name: str = "MM01") -> list[Any]:
    status, envelope = await send(browser, target, sign(KNOWN[name], moment_at(clock.now_ms), target))
    assert (status, envelope["code"]) == (200, "0"), envelope
    data: list[Any] = envelope["data"]
    return data


@pytest.fixture
async def browser(browse: StartSandbox, clock: HandClock) -> Browser:
    return await browse(SandboxSettings(clock=clock, okx_limits_enforced=False))


@pytest.mark.parametrize(
    "target", [BALANCE, f"{BALANCE}?ccy=BTC%2CETH", f"{BALANCE}?ccy=BTC%2cETH", f"{BALANCE}?ccy=BTC,ETH"]
)
async def test_the_target_is_verified_as_it_came_over_the_wire(
    browser: Browser, clock: HandClock, target: str
) -> None:
    assert await ask(browser, clock, target)


@pytest.mark.parametrize(
    ("sent", "signed"),
    [
        (f"{BALANCE}?ccy=BTC%2CETH", f"{BALANCE}?ccy=BTC,ETH"),
        (f"{BALANCE}?ccy=BTC,ETH", f"{BALANCE}?ccy=BTC%2CETH"),
        (f"{BALANCE}?ccy=BTC", BALANCE),
        (BALANCE, f"{BALANCE}?ccy=BTC"),
        (f"{BALANCE}?ccy=BTC%2cETH", f"{BALANCE}?ccy=BTC%2CETH"),
    ],
)
async def test_another_spelling_than_the_signed_one_is_refused(
    browser: Browser, clock: HandClock, sent: str, signed: str
) -> None:
    status, envelope = await send(browser, sent, sign(MM01, moment_at(clock.now_ms), signed))
    assert (status, envelope["code"], envelope["data"]) == (401, "50113", [])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"OK-ACCESS-KEY": ""}, 401, "50103"),
        ({"OK-ACCESS-PASSPHRASE": ""}, 401, "50104"),
        ({"OK-ACCESS-PASSPHRASE": "another"}, 401, "50105"),
        ({"OK-ACCESS-SIGN": ""}, 401, "50106"),
        ({"OK-ACCESS-TIMESTAMP": ""}, 401, "50107"),
        ({"OK-ACCESS-KEY": "not_a_key"}, 401, "50111"),
        ({"OK-ACCESS-KEY": "unknown-key"}, 200, "50119"),
        ({"OK-ACCESS-TIMESTAMP": "1741610060"}, 401, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2025-03-10T12:34:20Z"}, 401, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2025-13-10T12:34:20.000Z"}, 401, "50112"),
        ({"OK-ACCESS-TIMESTAMP": "2025-03-10T12:33:49.999Z"}, 401, "50102"),
        ({"OK-ACCESS-TIMESTAMP": "2025-03-10T12:34:50.001Z"}, 401, "50102"),
        ({"OK-ACCESS-TIMESTAMP": "2025-03-10T12:34:20.001Z"}, 401, "50113"),
        ({"OK-ACCESS-SIGN": "another"}, 401, "50113"),
        ({"x-simulated-trading": "1"}, 401, "50101"),
    ],
)
async def test_the_documented_refusals_of_a_signature(
    browser: Browser, clock: HandClock, changes: dict[str, str], status: int, code: str
) -> None:
    assert moment_at(clock.now_ms) == "2025-03-10T12:34:20.000Z"
    headers = sign(MM01, moment_at(clock.now_ms), BALANCE) | changes
    replied, envelope = await send(browser, BALANCE, {name: text for name, text in headers.items() if text})
    assert (replied, envelope["code"], envelope["data"]) == (status, code, [])
    assert envelope["msg"]


@pytest.mark.parametrize("seconds", [-30, 0, 30])
async def test_half_a_minute_of_skew_is_accepted(browser: Browser, clock: HandClock, seconds: int) -> None:
    headers = sign(MM01, moment_at(clock.now_ms + 1000 * seconds), CONFIG)
    assert (await send(browser, CONFIG, headers))[1]["code"] == "0"


@pytest.mark.parametrize(("name", "code"), [("BLIND", "50120"), ("ELSEWHERE", "50110")])
@pytest.mark.parametrize("path", [CONFIG, BALANCE, FUNDS])
async def test_rights_and_addresses(
    browser: Browser, clock: HandClock, name: str, code: str, path: str
) -> None:
    status, envelope = await send(browser, path, sign(KNOWN[name], moment_at(clock.now_ms), path))
    assert (status, envelope["code"]) == (401, code)


async def test_the_keys_rights_are_told(browser: Browser, clock: HandClock) -> None:
    permissions = {}
    for name in ("MM01", "EMPTY", "RICH"):
        (config,) = await ask(browser, clock, CONFIG, name)
        assert config["ip"] == ""
        assert config["uid"] == config["mainUid"]
        permissions[name] = config["perm"]
    assert permissions == {
        "MM01": "read_only,trade",
        "EMPTY": "read_only",
        "RICH": "read_only,withdraw,trade",
    }


async def test_balances_of_both_wallets(browser: Browser, clock: HandClock) -> None:
    (trading,) = await ask(browser, clock, BALANCE)
    funding = await ask(browser, clock, FUNDS)
    assert len(trading["details"]) > 30
    assert len(funding) >= 12
    entries = [(one, "cashBal") for one in trading["details"]] + [(one, "bal") for one in funding]
    for entry, total in entries:
        assert Decimal(entry["availBal"]) + Decimal(entry["frozenBal"]) == Decimal(entry[total]) > 0
        assert not entry[total].endswith(".")
    assert any(Decimal(entry["frozenBal"]) for entry, _ in entries)
    decimals = [len(entry[total].partition(".")[2]) for entry, total in entries]
    assert max(decimals) > 16
    assert max(len(entry[total].partition(".")[0]) for entry, total in entries) == 20
    for detail in trading["details"]:
        assert 0 <= clock.now_ms - int(detail["uTime"]) < 2 * 3_600_000
    only = await ask(browser, clock, f"{FUNDS}?ccy=BTC,ETH,NOSUCH")
    assert only == [one for one in funding if one["ccy"] in ("BTC", "ETH")]


async def test_balances_stay_within_an_hour_and_change_after_it(browser: Browser, clock: HandClock) -> None:
    clock.set("2025-03-10T12:00:00Z")
    before = await ask(browser, clock, FUNDS)
    clock.set("2025-03-10T12:59:59Z")
    assert await ask(browser, clock, FUNDS) == before
    clock.set("2025-03-10T13:00:00Z")
    assert await ask(browser, clock, FUNDS) != before
    assert await ask(browser, clock, FUNDS, "RICH") != await ask(browser, clock, FUNDS, "MM01")


async def test_an_empty_account_has_a_trading_account_without_details(
    browser: Browser, clock: HandClock
) -> None:
    (trading,) = await ask(browser, clock, BALANCE, "EMPTY")
    assert (trading["details"], trading["totalEq"]) == ([], "0")
    assert await ask(browser, clock, FUNDS, "EMPTY") == []


async def test_too_many_assets_at_once(browser: Browser, clock: HandClock) -> None:
    target = f"{FUNDS}?ccy={','.join(['BTC'] * 21)}"
    status, envelope = await send(browser, target, sign(MM01, moment_at(clock.now_ms), target))
    assert (status, envelope["code"]) == (400, "51000")


async def test_requests_are_counted_by_account(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    clock.now_ms = parse_time("2025-03-10T12:34:20")
    headers = sign(MM01, moment_at(clock.now_ms), FUNDS)
    replies = [await send(browser, FUNDS, headers) for _ in range(7)]
    assert [status for status, _ in replies] == [200] * 6 + [429]
    assert replies[-1][1]["code"] == "50011"
    assert await ask(browser, clock, FUNDS, "RICH"), "another account"
    assert await ask(browser, clock, CONFIG), "another endpoint"
    clock.now_ms += 1000
    assert await ask(browser, clock, FUNDS), "its window is one second"
    for _ in range(4):
        await ask(browser, clock, CONFIG)
    status, _ = await send(browser, CONFIG, sign(MM01, moment_at(clock.now_ms), CONFIG))
    assert status == 429, "its window is two"
    limits = (await browser.get("/sandbox/stats")).json()["limits"]["okx"]
    assert limits["OKX_MM01"]["refused"] == {FUNDS: 1, CONFIG: 1}


async def test_a_refused_signature_costs_the_account_nothing(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse()
    headers = sign(MM01, moment_at(clock.now_ms), CONFIG) | {"OK-ACCESS-SIGN": "another"}
    for _ in range(6):
        assert (await send(browser, CONFIG, headers))[1]["code"] == "50113"
    assert await ask(browser, clock, CONFIG)
