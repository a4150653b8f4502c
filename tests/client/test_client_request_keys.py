"""Backfills that carry an ``Idempotency-Key``."""

from typing import Any

import pytest

from markethub.domain.errors import ConflictError, InputError, UnavailableError
from tests.client.caller import Caller
from tests.client.scripted_server import Reply, ScriptedServer

QUEUED = {"execution_id": 7, "trace_id": "backfill_kline_a1b2c3d4", "status": "queued", "message": "m"}
BACKFILLS: dict[str, dict[str, Any]] = {
    "backfill_klines": {"intervals": ["1h"], "start_time": "2026-01-01"},
    "backfill_symbols": {"exchanges": ["BNC"]},
    "backfill_balances": {"accounts": ["OKX_MM01"]},
    "backfill_orders": {},
    "backfill_fills": {},
    "backfill_transfers": {},
    "backfill_orderbook": {},
    "backfill_ticker": {},
}


@pytest.mark.parametrize("method", BACKFILLS)
def test_the_key_goes_with_any_backfill(call: Caller, server: ScriptedServer, method: str) -> None:
    server.replies = [Reply.json(QUEUED)]
    assert call(method, idempotency_key="k-1", **BACKFILLS[method]) == QUEUED
    call(method, **BACKFILLS[method])
    assert [seen.headers.get("idempotency-key") for seen in server.seen] == ["k-1", None]
    assert b"k-1" not in server.seen[0].body


def test_a_request_with_a_key_is_sent_again_under_it(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.error(503, "UNAVAILABLE", "draining"), Reply.json(QUEUED)]
    assert call("backfill_ticker", idempotency_key="k-1") == QUEUED
    assert [seen.headers["idempotency-key"] for seen in server.seen] == ["k-1", "k-1"]


def test_without_a_key_it_is_sent_once(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.error(503, "UNAVAILABLE", "draining")]
    with pytest.raises(UnavailableError):
        call("backfill_ticker")
    assert len(server.seen) == 1


def test_a_key_used_before_is_a_conflict(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.error(409, "CONFLICT", "used for another request")]
    with pytest.raises(ConflictError, match="another request"):
        call("backfill_ticker", idempotency_key="k-1")
    assert len(server.seen) == 1


@pytest.mark.parametrize("key", ["", "two words", "ключ", "k" * 256, "line\nbreak"])
def test_a_malformed_key_is_not_sent(call: Caller, server: ScriptedServer, key: str) -> None:
    with pytest.raises(InputError, match="1 to 255 visible ASCII"):
        call("backfill_ticker", idempotency_key=key)
    assert server.seen == []
