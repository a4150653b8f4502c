"""The calls about subscribed symbols, on both clients."""

import json

import pytest

from markethub.domain.errors import InputError, UnavailableError
from tests.client.caller import Caller, query_of
from tests.client.scripted_server import Reply, ScriptedServer


def test_a_list_asks_for_what_was_given(call: Caller, server: ScriptedServer) -> None:
    page: dict[str, object] = {"data": [], "pagination": {}, "exchanges": []}
    server.replies = [Reply.json(page)]
    assert call("list_subscriptions") == page
    assert server.seen[0].path == "/api/v1/subscriptions"
    call("list_subscriptions", "BNC", "USDT", limit=5, offset=2, order_by="exchange", order_desc=True)
    assert query_of(server.seen[1]) == {
        "exchange": "BNC", "search": "USDT", "limit": "5", "offset": "2",
        "order_by": "exchange", "order_desc": "true",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"symbols": ("BTC_USDT", "ETH_USDT.BNC")}, {"symbols": ["BTC_USDT", "ETH_USDT.BNC"]}),
        ({"symbols": []}, {"symbols": []}),
        ({"rule": {"quote": "USDT", "top": 50}}, {"rule": {"quote": "USDT", "top": 50}}),
        ({}, {}),
    ],
)
def test_a_change_sends_what_was_given(
    call: Caller, server: ScriptedServer, given: dict[str, object], sent: dict[str, object]
) -> None:
    server.replies = [Reply.json({"exchange": "BNC"})]
    assert call("set_subscriptions", "BNC", **given) == {"exchange": "BNC"}
    [seen] = server.seen
    assert (seen.method, seen.path, json.loads(seen.body)) == ("PUT", "/api/v1/subscriptions/BNC", sent)


def test_a_change_is_sent_once(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.error(503, "UNAVAILABLE", "BNC did not answer")]
    with pytest.raises(UnavailableError, match="BNC did not answer"):
        call("set_subscriptions", "BNC", rule={"quote": "USDT", "top": 50})
    assert len(server.seen) == 1


def test_a_string_is_not_taken_for_a_list(call: Caller, server: ScriptedServer) -> None:
    with pytest.raises(InputError, match="symbols takes a list"):
        call("set_subscriptions", "BNC", symbols="BTC_USDT")
    assert server.seen == []


def test_an_exchange_cannot_lead_elsewhere(call: Caller, server: ScriptedServer) -> None:
    server.replies = [Reply.json({})]
    call("set_subscriptions", "../jobs?x=1", symbols=[])
    assert server.seen[0].path == "/api/v1/subscriptions/..%2Fjobs%3Fx%3D1"
