"""Read stored records: listings, tickers, books, balances, orders, fills, transfers, rejected rows."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import InputError
from markethub.domain.span import Span
from markethub.domain.support import DataKind, venues_with
from markethub.domain.symbol import Account, Symbol, parse_root_symbol
from markethub.ports.records import RecordQuery, RecordStore
from markethub.services.hub import Hub
from markethub.services.read_span import read_span
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.records import RecordTable, times_ms

_Found = tuple[pa.Table, int]
_Reader = Callable[[RecordStore, RecordTable, RecordQuery], _Found]


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """Which rows of which table.

    ``where`` keeps rows whose column has one of the values; a ledger's symbol may be a root one.
    ``exchange`` keeps one exchange's rows. ``newest_only``: of listings the versions in force now, or just
    before ``end_ms``; of tickers and books the newest of each symbol; of balances the newest snapshot of each
    account. Rows come by time and then by key, the latest time first with ``newest_first``.
    """

    table: str
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exchange: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    newest_only: bool = False
    newest_first: bool = False
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """``rows``, with the table's schema, of ``total`` after skipping ``offset``."""

    rows: pa.Table
    total: int
    limit: int
    offset: int


async def read_records(hub: Hub, request: RecordRequest) -> RecordPage:
    """The rows of ``request``; InputError names what is wrong with it.

    Without a limit the answer must fit ``hub.max_read_rows``; InputError otherwise.
    """
    most = hub.max_read_rows
    if request.limit is not None and not 1 <= request.limit <= most:
        raise InputError(f"limit {request.limit} is not between 1 and {most}")
    table = RECORD_TABLES.get(request.table)
    if table is None:
        raise InputError(f"table {request.table[:40]!r} is not one of {', '.join(RECORD_TABLES)}")
    query = _build_query(hub, table, request)
    reader = _NEWEST.get(table.name) if request.newest_only else _read_all
    if reader is None:
        raise InputError(f"{table.name} has no snapshots: every row is its own newest")
    if reader is _read_in_force and request.start_ms is not None:
        raise InputError(
            "start does not go with versions in force; ask for every version, or name an end only"
        )
    rows, total = await asyncio.to_thread(reader, hub.records, table, query)
    if len(rows) > most:
        raise InputError(f"more than {most} rows match; ask for a shorter range, or set limit")
    return RecordPage(rows, total, request.limit or max(total, 1), request.offset)


def _build_query(hub: Hub, table: RecordTable, request: RecordRequest) -> RecordQuery:
    where = {column: _spell(hub, table, column, values) for column, values in request.where.items() if values}
    query = RecordQuery(
        where=where,
        span=read_span(request.start_ms, request.end_ms),
        newest_first=request.newest_first,
        offset=request.offset,
        limit=hub.max_read_rows + 1 if request.limit is None else request.limit,
    )
    if request.exchange is None:
        return query
    if table.owner == "owner":
        raise InputError(f"exchange does not go with {table.name}; name an owner")
    if request.exchange not in hub.support:
        raise InputError(f"exchange {request.exchange[:20]!r} is unknown; known are {', '.join(hub.support)}")
    if table.owner == "account":
        return replace(query, starts_with={"account": f"{request.exchange}_"})
    if len(request.exchange) == 2:  # stocks are written MARKET.TICKER
        return replace(query, starts_with={"symbol": f"{request.exchange}."})
    return replace(query, ends_with={"symbol": f".{request.exchange}"})


def _spell(hub: Hub, table: RecordTable, column: str, values: Sequence[str]) -> list[str]:
    """The values as the column has them; InputError for one that no row can have."""
    match column:
        case "account":
            return [str(Account.parse(value)) for value in values]
        case "symbol" if table.owner == "account":
            venues = venues_with(DataKind.ORDER, hub.support)
            return [name for value in values for name in _instrument_names(value, venues)]
        case "symbol":
            return [str(Symbol.parse(value)) for value in values]
    return list(values)


def _instrument_names(value: str, venues: Sequence[str]) -> list[str]:
    # The ledger is asked for by root symbols, and shows whole ones: both are understood.
    if "." in value:
        return [str(Symbol.parse(value))]
    root = parse_root_symbol(value)
    return [str(Symbol(venue, root)) for venue in venues]


def _read_all(records: RecordStore, table: RecordTable, query: RecordQuery) -> _Found:
    return records.read_records(table, query), records.count_records(table, query)


def _read_newest(records: RecordStore, table: RecordTable, query: RecordQuery) -> _Found:
    return _read_all(records, table, replace(query, latest_by=["symbol"]))


def _read_in_force(records: RecordStore, table: RecordTable, query: RecordQuery) -> _Found:
    """The versions begun before the span's end, unless they had ended by then: one per symbol at most."""
    span = query.span or read_span(None, None)
    begun = records.read_records(table, replace(query, offset=0, limit=None))
    ended = pc.less(times_ms(begun, "seen_until"), span.end_ms)
    return _cut(begun.filter(pc.invert(pc.fill_null(ended, False))), query)


def _read_newest_snapshots(records: RecordStore, table: RecordTable, query: RecordQuery) -> _Found:
    """All rows of each account's newest snapshot; an account that was empty then has none."""
    accounts = {name: values for name, values in query.where.items() if name == "account"}
    last_rows = records.read_records(
        table,
        RecordQuery(where=accounts, starts_with=query.starts_with, span=query.span, latest_by=["account"]),
    )
    span = query.span or read_span(None, None)
    parts = []
    for account, time_ms in zip(
        last_rows.column("account").to_pylist(), times_ms(last_rows, table.time).to_pylist(), strict=True
    ):
        # An empty snapshot leaves a claim and no row: a newer one says that these rows are history.
        claims = records.covered_records(table, account, Span(time_ms, span.end_ms))
        newest_ms = max((claim.span.end_ms - 1 for claim in claims), default=time_ms)
        where = {**query.where, "account": [account]}
        moment = Span(newest_ms, newest_ms + 1)
        parts.append(records.read_records(table, RecordQuery(where=where, span=moment)))
    order = "descending" if query.newest_first else "ascending"
    rows = pa.concat_tables([table.empty(), *parts])
    keys = [(table.time, order), *((name, "ascending") for name in table.key)]
    return _cut(rows.sort_by(keys), query)


def _cut(rows: pa.Table, query: RecordQuery) -> _Found:
    return rows.slice(query.offset, query.limit), len(rows)


_NEWEST: Mapping[str, _Reader] = MappingProxyType(
    {
        "symbols": _read_in_force,
        "tickers": _read_newest,
        "orderbooks": _read_newest,
        "balances": _read_newest_snapshots,
    }
)
