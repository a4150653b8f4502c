"""The documents' examples of "all subscribed symbols", with rules and lists of names side by side."""

from collections.abc import Iterator

import pytest

from markethub import DataHub
from tests.api.served_hub import ServedHub
from tests.contract.documented import example, run_curl

CONFIGURED = {"BNC": ["BTC_USDT", "ETH_USDT"], "OKX": ["BTC_USDT"], "GIO": []}
RULE = {"quote": "USDT", "top": 3, "exclude": ["BTC_USDT"]}


@pytest.fixture
def by_rule(client: DataHub) -> Iterator[DataHub]:
    """Binance subscribed to by a rule, OKX by names, Gate.io by a rule too."""
    client.set_subscriptions("BNC", rule=RULE)
    client.set_subscriptions("GIO", rule=RULE | {"top": 1})
    yield client
    for exchange, symbols in CONFIGURED.items():
        client.set_subscriptions(exchange, symbols=symbols)


@pytest.mark.usefixtures("by_rule")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("backfill_klines_exchanges.sh", "Kline backfill queued | exchanges=2 | symbols=4"),
        ("backfill_klines_everything.sh", "Kline backfill queued | exchanges=3 | symbols=5"),
        ("backfill_orderbook_exchanges.sh", "Orderbook backfill queued | exchanges=2 | symbols=4 | limit=50"),
        (
            "backfill_orderbook_everything.sh",
            "Orderbook backfill queued | exchanges=3 | symbols=5 | limit=20",
        ),
        ("backfill_ticker_exchanges.sh", "Ticker backfill queued | exchanges=2 | symbols=4"),
        ("backfill_ticker_everything.sh", "Ticker backfill queued | exchanges=3 | symbols=5"),
    ],
)
def test_counts_are_those_of_what_the_rules_chose(served: ServedHub, name: str, message: str) -> None:
    answer = run_curl(name, served).json()
    assert answer["message"] == message
    assert list(answer) == list(example("general_response.json"))


def test_what_is_listed_is_what_is_fetched(by_rule: DataHub) -> None:
    listed = [row["symbol"] for row in by_rule.list_subscriptions(limit=1000)["data"]]
    assert len(listed) == 5
    queued = by_rule.backfill_ticker()
    ended = by_rule.wait(queued["trace_id"], timeout=60)
    assert ended["status"] == "SUCCESS", ended["error"]
    assert sorted(ended["parameters_snapshot"]["symbols"]) == listed
    states = {state["exchange"]: state for state in by_rule.list_subscriptions()["exchanges"]}
    assert {exchange: (state["kind"], state["count"]) for exchange, state in states.items()} == {
        "BNC": ("rule", 3), "OKX": ("explicit", 1), "GIO": ("rule", 1),
    }  # fmt: skip
