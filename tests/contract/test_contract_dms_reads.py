"""The page's examples of reads, from a hub that holds the very bar that they show."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pyarrow as pa
import pytest

from markethub.control.database import open_database
from markethub.domain.interval import Interval
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.services.hub import Hub
from markethub.tables.klines import KLINES
from tests.api.served_hub import served_hub
from tests.bare_hub import StillClock, bare_hub
from tests.contract.documented import EXAMPLES, example

BATCH = "/api/dms/read/batch"
SHOWN = example("dms_read_response.json")


def _shown_bars() -> pa.Table:
    """The page's bar, as a venue without the last four columns tells it."""
    columns: dict[str, list[float | int | None]] = {name: [None] for name in KLINES.names}
    for bar in SHOWN["data"]:
        columns["open_time"] = [parse_time(bar["time"])]
        columns |= {name.lower(): [bar[name]] for name in ("Open", "High", "Low", "Close", "Volume")}
    arrays = [pa.array(columns[field.name], field.type) for field in KLINES]
    return pa.Table.from_arrays(arrays, schema=KLINES)


@asynccontextmanager
async def _open_hub(folder: Path) -> AsyncIterator[Hub]:
    database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
    hub = bare_hub(database, Engine(database, {}), StillClock())
    hub.store.upsert(Series(Symbol.parse("US.AAPL"), Interval.D1), _shown_bars()).result()
    try:
        yield hub
    finally:
        await database.close()


@pytest.fixture(scope="module")
def page_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A caller on this machine, who needs no token."""
    folder = tmp_path_factory.mktemp("reads")
    with (
        served_hub(lambda: _open_hub(folder)) as served,
        httpx2.Client(base_url=served.url, trust_env=False, timeout=60) as client,
    ):
        yield client


def same(answered: object, documented: object) -> bool:
    """Values, their types, and the order of keys."""
    return json.dumps(answered) == json.dumps(documented)


def test_the_batch_of_the_page(page_reader: httpx2.Client) -> None:
    body = (EXAMPLES / "dms_read_batch_request.json").read_bytes()
    response = page_reader.post(BATCH, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert list(answer) == json.loads(body)["symbols"]
    assert same(answer["US.AAPL"], example("dms_read_batch_response.json")["US.AAPL"])
    for symbol in ("US.TSLA", "US.GOOGL"):
        assert same(answer[symbol], {"data": [], "index": []})


@pytest.mark.parametrize(
    "query",
    [
        {"start_date": "2024-01-01T00:00:00", "end_date": "2024-01-23T00:00:00", "interval": "1d"},
        {"start_date": "2024-01-01", "end_date": "2024-01-02"},
        {},
    ],
)
def test_one_symbol_of_the_page(page_reader: httpx2.Client, query: dict[str, str]) -> None:
    response = page_reader.get("/api/dms/read/US.AAPL", params=query)
    assert response.status_code == 200, response.text
    assert same(response.json(), SHOWN)


def test_one_symbol_without_data(page_reader: httpx2.Client) -> None:
    response = page_reader.get("/api/dms/read/US.TSLA")
    assert (response.status_code, response.text) == (200, '{"symbol":"US.TSLA","data":[],"index":[]}')


def test_errors_are_those_of_the_page(page_reader: httpx2.Client) -> None:
    for response in (
        page_reader.post(BATCH, json={"symbols": []}),
        page_reader.get("/api/dms/read/US.AAPL", params={"interval": "2d"}),
        page_reader.get("/api/dms/read/nonsense"),
    ):
        assert response.status_code == 400
        assert list(response.json()) == list(example("dms_error.json"))
        assert isinstance(response.json()["detail"], str)
