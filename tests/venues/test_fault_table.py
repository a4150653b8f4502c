"""Reading refusals: never raises, whatever a server sends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import (
    KeyRefusedError,
    SymbolNotListedError,
    VenueProtocolError,
    VenueRefusedError,
)
from markethub.venues.binance.errors import REST_FAULTS, read_words
from markethub.venues.transport.faults import Reaction, VenueWords, parse_retry_after
from markethub.venues.transport.session import Answer

bodies = st.binary(max_size=400) | st.sampled_from(
    [b'{"code":-1003,"msg":"x"}', b'{"code":"1","msg":2}', b"[1]", b'{"code":-1121}', b"\xff"]
)


@settings(deadline=None)
@given(status=st.integers(100, 999), body=bodies, retry_after=st.none() | st.text(max_size=30))
def test_any_answer_is_judged(status: int, body: bytes, retry_after: str | None) -> None:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    fault = REST_FAULTS.judge(Answer(status, headers, body), "here")
    assert (fault is None) == (status == 200)
    if fault is not None:
        assert len(fault.message) < 1200
        assert fault.retry_after_s is None or 0 <= fault.retry_after_s <= 259_200


@pytest.mark.parametrize(
    ("status", "code", "reaction"),
    [
        (429, -1003, Reaction.WAIT),
        (418, -1003, Reaction.STOP),
        (403, None, Reaction.STOP),
        (400, -1003, Reaction.WAIT),
        (400, -1000, Reaction.RETRY),
        (400, -1121, SymbolNotListedError),
        (400, -1100, VenueRefusedError),
        (400, -1022, KeyRefusedError),
        (500, None, Reaction.RETRY),
        (504, -1007, Reaction.RETRY),
        (204, None, VenueProtocolError),
        (301, None, VenueProtocolError),
    ],
)
def test_the_documented_refusals(status: int, code: int | None, reaction: object) -> None:
    body = b"" if code is None else b'{"code":%d,"msg":"words"}' % code
    fault = REST_FAULTS.judge(Answer(status, {}, body), "here")
    assert fault is not None
    assert fault.reaction is reaction


def test_a_success_has_no_envelope() -> None:
    assert read_words(200, b'{"code":-1121,"msg":"x"}') is None
    assert read_words(400, b'{"code":-1121,"msg":"x"}') == VenueWords("-1121", "x")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 7 ", 7.0), ("0", 0.0), ("9" * 400, 259_200.0)]
    + [(text, None) for text in (None, "", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "٣", "²")],
)
def test_retry_after_is_a_count_of_seconds(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text) == seconds
