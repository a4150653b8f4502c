"""What a master tells its followers; each answer is made in threads, a few at a time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from markethub.domain.errors import InputError
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.store import SeriesSummary
from markethub.replication.frames import (
    pack_changes,
    pack_part,
    pack_snapshot,
    show_series_digests,
    show_table_digests,
)
from markethub.replication.pages import read_bar_part, read_row_part
from markethub.services.hub import Hub
from markethub.tables.catalog import RECORD_TABLES
from markethub.tables.records import RecordTable

T = TypeVar("T")


def choose_compression(name: str) -> str | None:
    """What frames call the compression that a follower asked for."""
    return None if name == "none" else name


def parse_table(name: str) -> RecordTable:
    """The table of that name; InputError lists them otherwise."""
    if name not in RECORD_TABLES:
        raise InputError(f"table {name[:40]!r} is not one of {', '.join(RECORD_TABLES)}")
    return RECORD_TABLES[name]


async def read_state(hub: Hub) -> dict[str, Any]:
    """Where this node stands, as JSON."""
    return asdict(await hub.node.source.read_state())


async def read_changes(
    hub: Hub, after: int, most_rows: int, selection: Selection, *, compression: str | None
) -> list[bytes]:
    """The message of the changes after a revision; ConflictError where they were trimmed."""
    async with hub.node.serving.turn():
        changes = await hub.node.source.read_changes(after, most_rows, selection)
        return await asyncio.to_thread(pack_changes, changes, compression)


async def read_snapshot(
    hub: Hub, cursor: str | None, most_rows: int, selection: Selection, *, compression: str | None
) -> list[bytes]:
    """The message of a page of all contents; InputError if ``cursor`` is none of ours."""
    async with hub.node.serving.turn():
        page = await hub.node.source.read_snapshot(cursor, most_rows, selection)
        return await asyncio.to_thread(pack_snapshot, page, compression)


async def list_series(hub: Hub, selection: Selection) -> list[Any]:
    """Each series with rows, first and last open time, and revision, as JSON."""
    found = await hub.node.source.list_series(selection)
    return await asyncio.to_thread(_show_series, found)


def _show_series(found: Sequence[SeriesSummary]) -> list[Any]:
    return [(str(one.series), one.rows, one.first_ms, one.last_ms, one.revision) for one in found]


async def digest_series(hub: Hub, series: Series) -> dict[str, Any]:
    """The digests of a series, as JSON."""
    async with hub.node.serving.long_turn():
        return show_series_digests(await hub.node.source.digest_series(series))


async def digest_table(hub: Hub, table: RecordTable, selection: Selection) -> dict[str, Any]:
    """The digests of a table, as JSON."""
    async with hub.node.serving.long_turn():
        return show_table_digests(await hub.node.source.digest_table(table, selection))


async def read_bars(
    hub: Hub, series: Series, span: Span, most_rows: int, *, compression: str | None
) -> list[bytes]:
    """The message of the first bars of ``span``."""
    return await _in_turn(
        hub, lambda: pack_part(read_bar_part(hub.node.store, series, span, most_rows), compression)
    )


async def read_rows(
    hub: Hub, table: RecordTable, span: Span, most_rows: int, selection: Selection, *, compression: str | None
) -> list[bytes]:
    """The message of the first rows of ``span``."""
    return await _in_turn(
        hub,
        lambda: pack_part(read_row_part(hub.node.store, table, span, most_rows, selection), compression),
    )


async def _in_turn(hub: Hub, work: Callable[[], T]) -> T:
    async with hub.node.serving.turn():
        return await asyncio.to_thread(work)
