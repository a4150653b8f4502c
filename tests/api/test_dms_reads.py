"""Reads of many symbols over HTTP, on a node with small limits."""

import contextlib
import io
import socket
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from markethub.control.database import open_database
from markethub.domain.errors import StoreError
from markethub.domain.interval import Interval
from markethub.domain.node import Role
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.engine.engine import Engine
from markethub.replication.node import Node
from markethub.replication.reign import Reign
from markethub.replication.source import StoreSource
from markethub.services.hub import BatchLimits, Hub
from markethub.stores.memory import MemorySeriesStore
from markethub.testing.store_contract import bars_at
from tests.api.served_hub import ServedHub, served_hub
from tests.bare_hub import StillClock, bare_hub

BATCH = "/api/dms/read/batch"
APPLE, BITCOIN, TENCENT = "US.AAPL", "BTC_USDT.BNC", "HK.00700"
START = "2024-01-01"
SYMBOLS, ROWS = 20, 200


@dataclass
class WatchedStore(MemorySeriesStore):
    """Counts its open readings, and can fail in the middle of one."""

    open_readings: int = 0
    begun_readings: int = 0
    fails_after: int | None = None
    asked: list[Sequence[Series]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def read_many(
        self, series: Sequence[Series], span: Span | None = None, *, columns: Sequence[str] | None = None
    ) -> Generator[pa.RecordBatch]:
        return self._watch(super().read_many(series, span, columns=columns))

    def _watch(self, batches: Generator[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
        self.open_readings += 1
        self.begun_readings += 1
        try:
            for number, batch in enumerate(batches):
                if number == self.fails_after:
                    raise StoreError("the disk is gone")
                yield batch
        finally:
            self.open_readings -= 1


@asynccontextmanager
async def _open_hub(folder: Path, store: MemorySeriesStore, role: Role) -> AsyncIterator[Hub]:
    database = await open_database(f"sqlite:///{folder / 'control.sqlite'}")
    clock = StillClock(parse_time("2024-03-01T12:00:00"))
    reign = Reign(store, role)
    node = Node("here", "localhost", 1, reign, store, StoreSource(store, lambda: reign.epoch), clock())
    hub = bare_hub(database, Engine(database, {}), clock)
    try:
        yield replace(
            hub, store=store, records=store.records, node=node, batch_limits=BatchLimits(SYMBOLS, ROWS)
        )
    finally:
        await database.close()


def _store_bars(store: MemorySeriesStore) -> None:
    start_ms = parse_time(START)
    for symbol, interval, count in (
        (APPLE, Interval.D1, 31), (BITCOIN, Interval.D1, 45), (BITCOIN, Interval.H1, 400),
    ):  # fmt: skip
        times = [start_ms + place * interval.width_ms for place in range(count)]
        store.upsert(Series(Symbol.parse(symbol), interval), bars_at(times)).result()
    # Tomorrow's, which only a clock that runs ahead can have stored.
    tomorrow = bars_at([parse_time("2024-03-02")])
    store.upsert(Series(Symbol.parse(TENCENT), Interval.D1), tomorrow).result()


@pytest.fixture(scope="module")
def store() -> WatchedStore:
    store = WatchedStore()
    _store_bars(store)
    return store


@pytest.fixture(scope="module", params=Role)
def node(
    request: pytest.FixtureRequest, store: WatchedStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedHub]:
    """A master, and a slave, of the same data."""
    folder = tmp_path_factory.mktemp("reads")
    with served_hub(lambda: _open_hub(folder, store, request.param)) as served:
        yield served


@pytest.fixture(scope="module")
def reader(node: ServedHub) -> Iterator[httpx2.Client]:
    """A caller on this machine, who needs no token."""
    with httpx2.Client(base_url=node.url, trust_env=False, timeout=60) as client:
        yield client


def ask(reader: httpx2.Client, symbols: Sequence[str], **body: str | None) -> dict[str, Any]:
    response = reader.post(BATCH, json={"symbols": symbols, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_symbols_come_in_the_order_asked_each_once(reader: httpx2.Client) -> None:
    asked = [BITCOIN, "US.NONE", APPLE, BITCOIN, TENCENT, APPLE]
    answer = ask(reader, asked, start_date=START, end_date="2024-01-04")
    assert list(answer) == [BITCOIN, "US.NONE", APPLE, TENCENT]
    days = ["2024-01-01T00:00:00", "2024-01-02T00:00:00", "2024-01-03T00:00:00"]
    assert [answer[symbol]["index"] for symbol in answer] == [days, [], days, []]
    assert answer[TENCENT] == {"data": [], "index": []}


def test_one_symbol_is_as_in_a_batch(reader: httpx2.Client) -> None:
    for symbol in (APPLE, BITCOIN, TENCENT):
        query = {"start_date": START, "end_date": "2024-01-09", "interval": "1d"}
        answer = reader.get(f"/api/dms/read/{symbol}", params=query).json()
        assert answer == {"symbol": symbol, **ask(reader, [symbol], **query)[symbol]}


def test_dates_are_those_of_utc_with_any_zone(reader: httpx2.Client) -> None:
    for start, end in (
        ("2024-01-02", "2024-01-03"),
        ("2024-01-02T00:00:00", "2024-01-02T00:00:01"),
        ("2024-01-01T23:59:59.999Z", "2024-01-03T00:00:00Z"),
        ("2024-01-02T08:00:00+08:00", "2024-01-02T20:00:00+08:00"),
    ):
        answer = ask(reader, [APPLE], start_date=start, end_date=end)
        assert answer[APPLE]["index"] == ["2024-01-02T00:00:00"]


def test_dates_may_be_left_out(reader: httpx2.Client) -> None:
    everything = ask(reader, [APPLE])[APPLE]["index"]
    assert (everything[0], everything[-1], len(everything)) == (
        "2024-01-01T00:00:00", "2024-01-31T00:00:00", 31,
    )  # fmt: skip
    assert ask(reader, [APPLE], start_date=START)[APPLE]["index"] == everything
    assert ask(reader, [APPLE], start_date=None, end_date="2024-01-03")[APPLE]["index"] == everything[:2]


def test_an_end_in_the_future_is_now(reader: httpx2.Client) -> None:
    asked = [APPLE, BITCOIN, TENCENT]
    answer = ask(reader, asked, start_date="2024-02-01", end_date="9999-12-31")
    assert [len(answer[symbol]["data"]) for symbol in asked] == [0, 14, 0]


BAD_BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "no symbols": ({"symbols": []}, "symbols"),
    "symbols left out": ({}, "symbols is missing"),
    "not a list": ({"symbols": APPLE}, "symbols 'US.AAPL'"),
    "no symbol": ({"symbols": [APPLE, "AAPL"]}, "symbol 'AAPL' is not BASE_QUOTE.EXCHANGE"),
    "an empty symbol": ({"symbols": [""]}, "symbols.0 ''"),
    "a number": ({"symbols": [7]}, "symbols.0 7"),
    "interval": ({"symbols": [APPLE], "interval": "2d"}, "'2d' is not one of 1m, 5m, 15m, 30m, 1h, 4h, 1d"),
    "a date": ({"symbols": [APPLE], "start_date": "soon"}, "start_date 'soon' is not an ISO 8601 time"),
    "a date as a number": ({"symbols": [APPLE], "end_date": 5}, "end_date 5"),
    "an empty range": (
        {"symbols": [APPLE], "start_date": START, "end_date": START},
        "start_date 2024-01-01T00:00:00Z must be before end_date 2024-01-01T00:00:00Z",
    ),
    "a reversed range": (
        {"symbols": [APPLE], "start_date": "2024-01-02", "end_date": START},
        "must be before end_date",
    ),
    "a start in the future": (
        {"symbols": [APPLE], "start_date": "2025-01-01"},
        "start_date 2025-01-01T00:00:00Z must be before now, 2024-03-01T12:00:00Z",
    ),
    "a range in the future": (
        {"symbols": [APPLE], "start_date": "2025-01-01", "end_date": "2026-01-01"},
        "start_date 2025-01-01T00:00:00Z lies in the future; it is 2024-03-01T12:00:00Z",
    ),
    "an unknown field": ({"symbols": [APPLE], "limit": 5}, "field 'limit' is unknown"),
    "too many symbols": (
        {"symbols": [f"US.S{number}" for number in range(SYMBOLS + 1)]},
        "symbols has 21 names, more than the 20 of one read (dms.max_read_symbols)",
    ),
    "too many bars": (
        {"symbols": [BITCOIN, APPLE], "interval": "1h"},
        (
            "400 bars lie between start_date and end_date, more than the 200 of one read "
            "(dms.max_read_rows); ask for fewer symbols, a shorter range or a wider interval"
        ),
    ),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_batch_is_refused_before_it_is_read(
    reader: httpx2.Client, store: WatchedStore, case: str
) -> None:
    body, message = BAD_BODIES[case]
    begun = store.begun_readings
    response = reader.post(BATCH, json=body)
    assert response.status_code == 400
    assert message in response.json()["detail"]
    assert store.begun_readings == begun


@pytest.mark.parametrize(
    ("symbol", "query", "message"),
    [
        ("AAPL", {}, "symbol 'AAPL' is not BASE_QUOTE.EXCHANGE"),
        ("us.aapl", {}, "symbol 'us.aapl'"),
        (APPLE, {"interval": "1w"}, "'1w' is not one of 1m"),
        (APPLE, {"start_date": "2024-13-01"}, "start_date '2024-13-01'"),
        (APPLE, {"start_date": START, "end_date": START}, "must be before end_date"),
        (APPLE, {"limit": "5"}, "field 'limit' is unknown"),
        (APPLE, {"format": "xml"}, "format 'xml'"),
        (BITCOIN, {"interval": "1h"}, "400 bars lie between"),
    ],
)
def test_a_bad_read_of_one_symbol_is_refused(
    reader: httpx2.Client, symbol: str, query: dict[str, str], message: str
) -> None:
    response = reader.get(f"/api/dms/read/{symbol}", params=query)
    assert response.status_code == 400
    assert message in response.json()["detail"]


def test_the_limit_counts_bars_not_moments(reader: httpx2.Client) -> None:
    """Centuries of nothing are no bars."""
    assert len(ask(reader, [APPLE, BITCOIN], start_date="0001-01-01")[BITCOIN]["data"]) == 45
    hours = {"start_date": "2024-01-02", "end_date": "2024-01-10T08:00:00", "interval": "1h"}
    assert len(ask(reader, [BITCOIN], **hours)[BITCOIN]["data"]) == ROWS


def test_a_batch_of_as_many_symbols_as_allowed(reader: httpx2.Client) -> None:
    names = [f"US.S{number}" for number in range(SYMBOLS)]
    assert list(ask(reader, names * 2)) == names


@pytest.mark.parametrize("by_header", [True, False])
def test_the_same_in_every_format(reader: httpx2.Client, by_header: bool) -> None:
    body = {"symbols": [BITCOIN, TENCENT, APPLE], "end_date": "2024-01-20"}

    def fetch(media_type: str, name: str) -> httpx2.Response:
        wish = {"headers": {"Accept": media_type}} if by_header else {"params": {"format": name}}
        response = reader.post(BATCH, json=body, **wish)  # type: ignore[arg-type]  # one of two keywords
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith(media_type)
        assert response.headers["vary"] == "Accept"
        return response

    told = fetch("application/json", "json").json()
    expected = [{"symbol": symbol, **bar} for symbol in told for bar in told[symbol]["data"]]
    assert len(expected) == 38
    with pa.ipc.open_stream(fetch("application/vnd.apache.arrow.stream", "arrow").content) as reader_:
        table = reader_.read_all()
    parquet = pq.read_table(io.BytesIO(fetch("application/vnd.apache.parquet", "parquet").content))
    for answered in (table, parquet):
        rows = answered.to_pylist()
        assert [row | {"time": row["time"].strftime("%Y-%m-%dT%H:%M:%S")} for row in rows] == expected
    response = fetch("text/csv", "csv")
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''bars_1d.csv"
    assert pl.read_csv(response.content).to_dicts() == expected


def test_one_symbol_in_another_format(reader: httpx2.Client) -> None:
    response = reader.get(f"/api/dms/read/{BITCOIN}", params={"format": "csv", "end_date": "2024-01-02"})
    head, line, rest = response.text.split("\n")
    assert (head, line[:33], rest) == (
        "symbol,time,Open,High,Low,Close,Volume", "BTC_USDT.BNC,2024-01-01T00:00:00,", "",
    )  # fmt: skip
    assert BITCOIN in response.headers["content-disposition"]


def test_head_is_get_without_a_body(reader: httpx2.Client, store: WatchedStore) -> None:
    response = reader.head(f"/api/dms/read/{APPLE}")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "application/json"
    assert reader.head("/api/dms/read/nonsense").status_code == 400
    assert store.open_readings == 0


def test_a_store_that_fails_first_is_told_with_its_status(reader: httpx2.Client, store: WatchedStore) -> None:
    with _failing(store, after=0):
        response = reader.post(BATCH, json={"symbols": [APPLE, BITCOIN]})
    assert response.status_code == StoreError.status
    assert response.json() == {"detail": "the disk is gone"}
    assert store.open_readings == 0


@pytest.mark.parametrize("format_name", ["json", "csv", "arrow"])
def test_a_store_that_fails_in_the_middle_breaks_the_answer_off(
    reader: httpx2.Client, store: WatchedStore, monkeypatch: pytest.MonkeyPatch, format_name: str
) -> None:
    monkeypatch.setattr("markethub.api.dms.bar_streams._PART_BYTES", 1)
    with _failing(store, after=1), pytest.raises(httpx2.RemoteProtocolError):
        reader.post(BATCH, json={"symbols": [APPLE, BITCOIN]}, params={"format": format_name})
    _wait_until_closed(store)


def test_a_caller_who_goes_away_leaves_nothing_open(
    node: ServedHub, store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts far larger than what the sockets take: the server is in the middle of sending.
    monkeypatch.setattr(
        "markethub.api.dms.bar_streams._gather", lambda _pieces: iter([b" " * 50_000_000] * 9)
    )
    url = urlsplit(node.url)
    with socket.create_connection((url.hostname, url.port)) as caller:
        caller.sendall(f"GET /api/dms/read/{APPLE} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
        assert caller.recv(12) == b"HTTP/1.1 200"
        assert store.open_readings == 1
    _wait_until_closed(store)


@contextlib.contextmanager
def _failing(store: WatchedStore, after: int) -> Iterator[None]:
    store.fails_after = after
    try:
        with capture_logs():  # a crash in colours takes a second
            yield
    finally:
        store.fails_after = None


def _wait_until_closed(store: WatchedStore) -> None:
    end_s = time.monotonic() + 30
    while store.open_readings and time.monotonic() < end_s:
        time.sleep(0.005)
    assert store.open_readings == 0
