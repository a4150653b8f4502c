"""Gate's headers reach the budgets, and its refusals are understood."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import SymbolNotListedError, VenueProtocolError, VenueRefusedError
from markethub.venues.gate.errors import REST_FAULTS, read_words
from markethub.venues.gate.session import COUNT_HEADER, GateSession, read_wait_s
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.faults import Reaction, VenueWords
from markethub.venues.transport.request import Request
from markethub.venues.transport.session import Answer, Timeouts

Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]
Payload = Callable[[str], bytes]

OUT_US = 1_700_000_003_250_000


@pytest.mark.parametrize(
    ("reset", "out", "seconds"),
    [
        ("1700000010", str(OUT_US), 7),  # 6.75 s
        ("1700000010000", str(OUT_US), 7),  # in milliseconds
        ("1700000004", str(OUT_US), 1),
        ("1700000003", str(OUT_US), None),  # the present time: nothing is exceeded
        ("1700000003250", str(OUT_US), None),
        ("1700000010", "", None),
        ("", str(OUT_US), None),
        ("soon", str(OUT_US), None),
        ("-1700000010", str(OUT_US), None),
        ("٣", str(OUT_US), None),
        ("9" * 400, str(OUT_US), None),
    ],
)
def test_the_reset_header_says_how_long_to_wait(reset: str, out: str, seconds: int | None) -> None:
    headers = {"X-Gate-RateLimit-Reset-Timestamp": reset, "X-Out-Time": out}
    assert read_wait_s({name: text for name, text in headers.items() if text}) == seconds


@pytest.mark.parametrize(
    ("limit", "remain", "budget_limit", "count"),
    [
        ("200", "150", 200, "50"),
        ("120", "120", 120, "0"),
        ("100", "250", 100, "0"),
        ("200", None, 200, None),
        ("0", "0", 999, None),
        (None, "5", 999, None),
        ("many", "5", 999, None),
        ("²", "5", 999, None),
    ],
)
async def test_limit_and_rest_feed_the_budget(
    serve: Serve, limit: str | None, remain: str | None, budget_limit: int, count: str | None
) -> None:
    told = {"X-Gate-RateLimit-Limit": limit, "X-Gate-RateLimit-Requests-Remain": remain}

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="{}", headers={name: text for name, text in told.items() if text})

    budget = WeightBudget("GIO", limit=999, max_in_flight=1)
    session = GateSession("GIO", await serve(answer), Timeouts(5, 5, 5), {"/spot/time": budget})
    counted = await session.send(Request("GET", "/spot/time"), 100)
    assert budget.state().limit == budget_limit
    assert counted.headers.get(COUNT_HEADER) == count
    assert "Retry-After" not in counted.headers
    other = await session.send(Request("GET", "/spot/other"), 100)  # a path without a budget
    assert other.headers.get(COUNT_HEADER) == count
    await session.close()


bodies = st.binary(max_size=400) | st.sampled_from(
    [b'{"label":"TOO_FAST","message":"x"}', b'{"label":1,"message":2}', b"[1]", b'{"label":"X"}', b"\xff"]
)


@settings(deadline=None)
@given(status=st.integers(100, 999), body=bodies)
def test_any_answer_is_judged(status: int, body: bytes) -> None:
    fault = REST_FAULTS.judge(Answer(status, {}, body), "here")
    assert (fault is None) == (status == 200)
    if fault is not None:
        assert len(fault.message) < 1200


@pytest.mark.parametrize(
    ("status", "label", "reaction"),
    [
        (429, "TOO_MANY_REQUESTS", Reaction.WAIT),
        (429, None, Reaction.WAIT),
        (400, "TOO_MANY_REQUESTS", Reaction.WAIT),
        (400, "TOO_FAST", Reaction.WAIT),
        (503, "TOO_BUSY", Reaction.WAIT),
        (400, "INTERNAL", Reaction.RETRY),
        (400, "SERVER_ERROR", Reaction.RETRY),
        (502, None, Reaction.RETRY),
        (400, "INVALID_CURRENCY_PAIR", SymbolNotListedError),
        (400, "INVALID_CURRENCY", SymbolNotListedError),
        (400, "INVALID_PARAM_VALUE", VenueRefusedError),
        (500, "INVALID_PARAM_VALUE", VenueRefusedError),
        (401, "INVALID_KEY", VenueRefusedError),
        (404, None, VenueRefusedError),
        (204, None, VenueProtocolError),
        (301, None, VenueProtocolError),
    ],
)
def test_the_documented_refusals(status: int, label: str | None, reaction: object) -> None:
    body = b"" if label is None else b'{"label":"%s","message":"words"}' % label.encode()
    fault = REST_FAULTS.judge(Answer(status, {}, body), "here")
    assert fault is not None
    assert fault.reaction is reaction


@pytest.mark.parametrize(
    ("name", "status", "reaction", "words"),
    [
        ("gate_error_1.json", 400, VenueRefusedError, "range too broad. Maximum 1000 data points"),
        ("gate_error_invalid_currency.json", 400, SymbolNotListedError, "Invalid currency"),
        ("gate_error_forbidden.json", 403, VenueRefusedError, "not in whitelist"),
        ("gate_error_too_fast.json", 400, Reaction.WAIT, "frequency is limited"),
    ],
)
def test_the_recorded_refusals(
    payload: Payload, name: str, status: int, reaction: object, words: str
) -> None:
    fault = REST_FAULTS.judge(Answer(status, {}, payload(name)), "here")
    assert fault is not None
    assert fault.reaction is reaction
    assert words in fault.message


def test_candlestick_too_long_ago_is_told_in_the_venues_words() -> None:
    text = "Candlestick too long ago. Maximum 10000 points ago are allowed"
    body = b'{"label":"INVALID_PARAM_VALUE","message":"%s"}' % text.encode()
    fault = REST_FAULTS.judge(Answer(400, {}, body), "klines")
    assert fault is not None
    assert fault.reaction is VenueRefusedError
    assert fault.message == f"GIO klines: HTTP 400 INVALID_PARAM_VALUE {text!r}"


def test_the_words_of_a_refusal() -> None:
    assert read_words(400, b'{"label":"X","message":"m"}') == VenueWords("X", "m")
    assert read_words(400, b'{"label":"X","detail":"d"}') == VenueWords("X", "d")
    assert read_words(400, b'{"label":"X"}') == VenueWords("X", "")
    assert read_words(200, b'{"label":"X","message":"m"}') is None
    assert read_words(400, b"<html>") is None
