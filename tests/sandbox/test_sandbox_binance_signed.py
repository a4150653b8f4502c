"""The sandbox believes a request only if it is signed to the byte, in time, by a known key with the right."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from markethub.sandbox import SandboxSettings
from markethub.sandbox.accounts import ACCOUNTS
from markethub.sandbox.binance.wallets import Wallets
from markethub.sandbox.listings import SymbolCatalog

if TYPE_CHECKING:
    from tests.sandbox.conftest import Browser, HandClock, StartSandbox

PLAYED = {one.name: one for one in ACCOUNTS if one.venue == "BNC"}
SPOT, FUNDING = "/api/v3/account", "/sapi/v1/asset/get-funding-asset"
RIGHTS = "/sapi/v1/account/apiRestrictions"


def sign(payload: str, name: str = "MM01") -> str:
    return hmac.new(PLAYED[name].secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Wire:
    """Sends queries byte for byte as they are given."""

    def __init__(self, browser: Browser, http: aiohttp.ClientSession, clock: HandClock) -> None:
        self._browser, self._http, self._clock = browser, http, clock

    async def ask(
        self, path: str, query: str, *, key: str | None = PLAYED["MM01"].key, body: str | None = None
    ) -> tuple[int, Any]:
        url = URL(f"{self._browser.sandbox.url}{path}?{query}", encoded=True)
        headers = {} if key is None else {"X-MBX-APIKEY": key}
        method = "POST" if path == FUNDING else "GET"
        async with self._http.request(method, url, headers=headers, data=body) as reply:
            return reply.status, await reply.json()

    async def ask_as(self, name: str, path: str, query: str = "") -> tuple[int, Any]:
        payload = f"{query}timestamp={self._clock.now_ms}"
        return await self.ask(path, f"{payload}&signature={sign(payload, name)}", key=PLAYED[name].key)

    async def code(self, path: str, query: str, **more: str | None) -> tuple[int, int]:
        status, answer = await self.ask(path, query, **more)
        return status, answer["code"]


@pytest.fixture
async def wire(browse: StartSandbox, clock: HandClock) -> AsyncIterator[Wire]:
    browser = await browse(SandboxSettings(clock=clock))
    async with aiohttp.ClientSession() as http:
        yield Wire(browser, http, clock)


async def test_the_spot_wallet_has_the_documented_shape(wire: Wire) -> None:
    status, account = await wire.ask_as("MM01", SPOT)
    assert status == 200
    assert {"accountType", "balances", "canTrade", "permissions", "uid", "updateTime"} <= set(account)
    zeros = [one for one in account["balances"] if float(one["free"]) == float(one["locked"]) == 0]
    assert zeros
    _, short = await wire.ask_as("MM01", SPOT, "omitZeroBalances=true&")
    assert [one for one in account["balances"] if one not in zeros] == short["balances"]
    assert len(short["balances"]) >= 24
    assert {"asset": "PEPE", "free": "987654321098765.43210123", "locked": "12345678901.23456789"} in short[
        "balances"
    ]


async def test_the_funding_wallet_lists_only_what_is_there(wire: Wire) -> None:
    status, assets = await wire.ask_as("MM01", FUNDING)
    assert status == 200
    assert set(assets[0]) == {"asset", "free", "locked", "freeze", "withdrawing", "btcValuation"}
    true = Wallets(SymbolCatalog(), 7).funding(PLAYED["MM01"])
    assert [one["asset"] for one in assets] == [holding.asset for holding in true]
    _, one = await wire.ask_as("MM01", FUNDING, f"asset={assets[0]['asset']}&needBtcValuation=true&")
    assert one == assets[:1]


async def test_an_empty_account_is_empty(wire: Wire) -> None:
    _, account = await wire.ask_as("EMPTY", SPOT)
    assert len(account["balances"]) > 40
    assert all(float(one["free"]) == float(one["locked"]) == 0 for one in account["balances"])
    assert (await wire.ask_as("EMPTY", SPOT, "omitZeroBalances=true&"))[1]["balances"] == []
    assert await wire.ask_as("EMPTY", FUNDING) == (200, [])


@pytest.mark.parametrize(("name", "may_trade", "may_withdraw"), [("MM01", True, False), ("RICH", True, True)])
async def test_rights(wire: Wire, name: str, may_trade: bool, may_withdraw: bool) -> None:
    _, rights = await wire.ask_as(name, RIGHTS)
    assert rights["enableReading"] is True
    assert (rights["enableSpotAndMarginTrading"], rights["enableWithdrawals"]) == (may_trade, may_withdraw)
    assert rights["ipRestrict"] is False


@pytest.mark.parametrize("path", [SPOT, FUNDING, RIGHTS])
@pytest.mark.parametrize("name", ["BLIND", "ELSEWHERE"])
async def test_a_missing_right_and_a_wrong_address_are_the_same_code(
    wire: Wire, name: str, path: str
) -> None:
    status, answer = await wire.ask_as(name, path)
    assert (status, answer["code"]) == (401, -2015)
    assert answer["msg"] == "Invalid API-key, IP, or permissions for action."


async def test_keys(wire: Wire, clock: HandClock) -> None:
    query = f"timestamp={clock.now_ms}"
    signed = f"{query}&signature={sign(query)}"
    assert await wire.code(SPOT, signed, key=None) == (401, -2014)
    assert await wire.code(SPOT, signed, key="no key") == (401, -2014)
    assert await wire.code(SPOT, signed, key="nobodys-key") == (401, -2015)
    assert await wire.code(SPOT, signed, key=PLAYED["RICH"].key) == (400, -1022)
    shouted = f"{query}&signature={sign(query).upper()}"
    assert (await wire.ask(SPOT, shouted))[0] == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", -1102),
        ("timestamp=", -1102),
        ("timestamp={now}", -1102),
        ("timestamp={now}&signature=", -1102),
        ("timestamp=soon&signature=" + "a" * 64, -1100),
        ("timestamp={now}&signature=xyz", -1100),
        ("timestamp={now}&recvWindow=-1&signature=" + "a" * 64, -1100),
        ("timestamp={now}&recvWindow=60001&signature=" + "a" * 64, -1131),
        ("timestamp={now}&signature=" + "a" * 64, -1022),
    ],
)
async def test_parameters_that_are_missing_or_malformed(
    wire: Wire, clock: HandClock, query: str, code: int
) -> None:
    assert await wire.code(SPOT, query.format(now=clock.now_ms)) == (400, code)


@pytest.mark.parametrize(
    ("offset_ms", "window", "status"),
    [
        (0, "", 200),
        (-5000, "", 200),
        (-5001, "", 400),
        (999, "", 200),
        (1000, "", 400),
        (-59_000, "recvWindow=60000&", 200),
        (-2, "recvWindow=1.5&", 400),
        (-1, "recvWindow=1.5&", 200),
    ],
)
async def test_the_clock_check(
    wire: Wire, clock: HandClock, offset_ms: int, window: str, status: int
) -> None:
    payload = f"{window}timestamp={clock.now_ms + offset_ms}"
    answer = await wire.ask(SPOT, f"{payload}&signature={sign(payload)}")
    assert answer[0] == status
    if status != 200:
        assert answer[1]["code"] == -1021


async def test_a_timestamp_in_microseconds(wire: Wire, clock: HandClock) -> None:
    payload = f"timestamp={clock.now_ms * 1000}"
    assert (await wire.ask(SPOT, f"{payload}&signature={sign(payload)}"))[0] == 200


async def test_what_is_signed_must_be_percent_encoded(wire: Wire, clock: HandClock) -> None:
    time = f"&timestamp={clock.now_ms}"
    encoded = f"asset=%E5%B8%81%5B1%5D{time}"
    assert (await wire.ask(FUNDING, f"{encoded}&signature={sign(encoded)}"))[0] == 200
    # Signed before encoding, sent encoded; and signed and sent without any.
    assert await wire.code(FUNDING, f"{encoded}&signature={sign(f'asset=币[1]{time}')}") == (400, -1022)
    bare = f"asset=[1]{time}"
    assert await wire.code(FUNDING, f"{bare}&signature={sign(bare)}") == (400, -1022)


async def test_every_byte_counts(wire: Wire, clock: HandClock) -> None:
    payload = f"omitZeroBalances=true&timestamp={clock.now_ms}"
    signature = sign(payload)
    assert (await wire.ask(SPOT, f"{payload}&signature={signature}"))[0] == 200
    swapped = f"timestamp={clock.now_ms}&omitZeroBalances=true"
    for query in (
        swapped,
        payload.replace("true", "false"),
        payload.replace("true", "%74rue"),
        payload + "&x=1",
    ):
        assert await wire.code(SPOT, f"{query}&signature={signature}") == (400, -1022)


async def test_a_body_is_signed_right_behind_the_query(wire: Wire, clock: HandClock) -> None:
    query, body = "asset=USDT", f"timestamp={clock.now_ms}"
    assert (await wire.ask(FUNDING, query, body=f"{body}&signature={sign(query + body)}"))[0] == 200
    assert (await wire.code(FUNDING, query, body=f"{body}&signature={sign(query + '&' + body)}"))[1] == -1022


async def test_unread_parameters_and_unknown_paths(wire: Wire, clock: HandClock) -> None:
    payload = f"colour=red&timestamp={clock.now_ms}"
    assert await wire.code(SPOT, f"{payload}&signature={sign(payload)}") == (400, -1104)


async def test_sapi_counts_each_endpoint_by_itself(browse: StartSandbox, clock: HandClock) -> None:
    browser = await browse(SandboxSettings(clock=clock, sapi_weight_per_minute=2))
    for _ in range(2):
        for path in (RIGHTS, "/sapi/v1/nothing"):
            reply = await browser.get(path)
            assert reply.status != 429
            assert "X-MBX-USED-WEIGHT-1M" not in reply.headers
    refused = await browser.get(RIGHTS)
    assert (refused.status, refused.json()["code"]) == (429, -1003)
    assert (refused.headers["X-SAPI-USED-IP-WEIGHT-1M"], refused.headers["Retry-After"]) == ("3", "40")
    assert (await browser.get("/api/v3/ping")).status == 200
    limits = (await browser.get("/sandbox/stats")).json()["limits"]
    assert limits["binance sapi"][f"127.0.0.1 {RIGHTS}"]["used_weight_1m"] == 3
