"""A hub as `markethub serve` runs it, with the sandbox as its venue, and some of everything stored."""

from collections.abc import Iterator

import pytest

from markethub import DataHub
from tests.api.served_hub import ServedHub, served_hub
from tests.sandbox_hub import open_sandbox_hub
from tests.schema.fuzzing import Caller


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHub]:
    folder = tmp_path_factory.mktemp("schema")
    with served_hub(lambda: open_sandbox_hub(folder)) as served:
        with DataHub(served.url, served.tokens["admin"]) as client:
            _fill(client)
        yield served


def _fill(client: DataHub) -> None:
    """Put some rows into every table."""
    queued = [
        client.backfill_klines(
            ["BTC_USDT.BNC"], intervals=["1h"], start_time="2018-01-01", end_time="2018-01-15"
        ),
        client.backfill_symbols(["BNC", "OKX", "GIO"]),
        client.backfill_ticker(),
        client.backfill_orderbook(limit=5),
        client.backfill_balances(["OKX_MM01", "BNC_MM01"]),
        client.backfill_orders(["OKX_MM01"]),
        client.backfill_fills(["OKX_MM01"]),
        client.backfill_transfers(["OKX_MM01"]),
    ]
    for one in queued:
        ended = client.wait(one["trace_id"], timeout=100)
        assert ended["status"] == "SUCCESS", ended["error"]


@pytest.fixture(scope="session")
def caller(served: ServedHub) -> Iterator[Caller]:
    caller = Caller(served)
    with caller.session:
        yield caller
