"""Files of bars, read whole. One file holds one series::

    US.AAPL.1d.csv    US.AAPL.1d.parquet    US/AAPL/1d.csv    US/AAPL/1d.parquet

Columns, whatever the case of their names and in any order: a time (``date``, ``time``, ``datetime``,
``timestamp`` or ``open_time``), ``open``, ``high``, ``low``, ``close``, ``volume``, and perhaps
``quote_volume``; others are not looked at. Rows may come in any order.

The time of a minute bar is when it opens: with a zone that very instant, without one in the exchange's own
zone. Of a daily bar's time only the date counts, as it is written: it is the session's.
"""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from markethub.domain.errors import ArchiveError, InputError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Series
from markethub.domain.times import to_ms
from markethub.tables.klines import KLINES, SortedBars
from markethub.venues.stocks.exchanges import INTERVALS, Exchange
from markethub.venues.stocks.sessions import StockSessions
from markethub.venues.stocks.source import sort_out_session_bars
from markethub.venues.transport.numbers import read_numbers

TIMES: Final = ("date", "time", "datetime", "timestamp", "open_time")
_NUMBERS: Final = ("open", "high", "low", "close", "volume")
_OPTIONAL: Final = ("quote_volume",)
_SUFFIXES: Final = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class _Rows:
    """A file's columns as they stand in it; ``place`` says where row i does, as ``line 7``."""

    times: Sequence[object]
    numbers: dict[str, pa.Array]
    place: Callable[[int], str]


def candidates(folder: Path, series: Series) -> list[Path]:
    """Where the file of a series may lie; the first that exists is taken."""
    symbol, interval = series.symbol, series.interval
    stems = (folder / f"{symbol}.{interval}", folder / symbol.venue / symbol.instrument / str(interval))
    return [stem.with_name(stem.name + suffix) for stem in stems for suffix in _SUFFIXES]


def find_tickers(folder: Path, exchange: Exchange) -> set[str]:
    """The tickers that the folder has a file of, at any interval; what is no ticker is passed over.

    InputError where the folder cannot be read.
    """
    endings = [f"{interval}{suffix}" for interval in INTERVALS for suffix in _SUFFIXES]
    name = re.compile(rf"{exchange.code}\.(.+)\.({'|'.join(map(re.escape, endings))})")
    try:
        named = [match[1] for entry in folder.iterdir() if (match := name.fullmatch(entry.name))]
        below = (folder / exchange.code).glob("*/*")
        named += [place.parent.name for place in below if place.name in endings]
    except OSError as error:
        raise InputError(f"{exchange.code} option path {folder} cannot be read: {error}") from error
    return {ticker for ticker in named if exchange.ticker.fullmatch(ticker)}


def read_bars(path: Path, series: Series, exchange: Exchange, sessions: StockSessions) -> SortedBars:
    """All bars of a file, ascending; those that make no sense are set apart, with the line they stand on.

    ArchiveError, naming file and line, where a column is missing, a time cannot be read or comes twice;
    VenueProtocolError where most rows make no sense.
    """
    rows = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    zone = ZoneInfo(exchange.zone)
    times: list[int] = []
    for at, value in enumerate(rows.times):
        if (open_ms := _open_ms(value, series.interval, zone)) is None:
            example = "2024-01-02" if series.interval is Interval.D1 else "2024-01-02T09:30:00"
            raise ArchiveError(f"{path} {rows.place(at)}: {str(value)[:40]!r} is no time such as {example}")
        times.append(open_ms)
    opens = np.array(times, dtype=np.int64)
    order = opens.argsort(kind="stable")
    opens = opens[order]
    if len(twice := np.flatnonzero(np.diff(opens) == 0)):
        first, second = (rows.place(int(order[twice[0] + step])) for step in (0, 1))
        raise ArchiveError(f"{path}: {first} and {second} hold the same bar")

    def payload(position: int) -> str:
        at = int(order[position])
        numbers = ", ".join(f"{name} {column[at]}" for name, column in rows.numbers.items())
        return f"{path.name} {rows.place(at)}: {rows.times[at]}, {numbers}"

    table = _tabulate(opens, rows.numbers, pa.array(order))
    return sort_out_session_bars(table, series, sessions, str(path), payload)


def _read_csv(path: Path) -> _Rows:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            found = [(row, reader.line_num) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ArchiveError(f"{path}: {error}") from error
    names = _find_columns(header, path)
    for row, line in found:
        if len(row) != len(header):
            raise ArchiveError(f"{path} line {line}: {len(row)} columns, the header has {len(header)}")
    columns = {name: [row[at].strip() for row, _ in found] for name, at in names.items()}
    times = columns.pop("")
    lines = [line for _, line in found]
    numbers = {name: read_numbers(texts) for name, texts in columns.items()}
    return _Rows(times, numbers, lambda at: f"line {lines[at]}")


def _read_parquet(path: Path) -> _Rows:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ArchiveError(f"{path}: {error}") from error
    names = _find_columns([name.strip().lower() for name in table.column_names], path)
    times = table.column(names.pop("")).to_pylist()
    numbers: dict[str, pa.Array] = {}
    for name, at in names.items():
        try:
            numbers[name] = table.column(at).combine_chunks().cast(pa.float64()).fill_null(float("nan"))
        except pa.ArrowException as error:
            raise ArchiveError(f"{path}: column {name}: {error}") from error
    return _Rows(times, numbers, lambda at: f"row {at + 1}")


def _find_columns(header: Sequence[str], path: Path) -> dict[str, int]:
    """Positions by name; that of the time has the name ``""``."""
    times = [at for at, name in enumerate(header) if name in TIMES]
    missing = [name for name in _NUMBERS if name not in header]
    if len(times) != 1 or missing:
        wanted = f"one column of {', '.join(TIMES)}, and {', '.join(_NUMBERS)}"
        raise ArchiveError(f"{path}: the columns are {', '.join(header)[:200]}; wanted are {wanted}")
    wanted_names = [name for name in (*_NUMBERS, *_OPTIONAL) if name in header]
    return {"": times[0]} | {name: header.index(name) for name in wanted_names}


def _open_ms(value: object, interval: Interval, zone: ZoneInfo) -> int | None:
    moment = _read_time(value)
    if interval is Interval.D1 and moment is not None:
        return to_ms(datetime.combine(moment, time()))
    if isinstance(moment, datetime):
        return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    return None


def _read_time(value: object) -> date | datetime | None:
    """The moment as it is written; None if it is none. A datetime is a date as well."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    except ValueError:
        return None


def _tabulate(opens_ms: Any, numbers: dict[str, pa.Array], order: pa.Array) -> pa.Table:  # noqa: ANN401 - numpy
    columns = {name: column.take(order) for name, column in numbers.items()}
    columns["open_time"] = pa.array(opens_ms, pa.int64()).cast(KLINES.field("open_time").type)
    return pa.Table.from_arrays(
        [columns.get(field.name, pa.nulls(len(opens_ms), field.type)) for field in KLINES], schema=KLINES
    )
