"""Another node's store, asked over HTTP."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import aiohttp
import orjson
import pyarrow as pa

from markethub.domain.errors import MarketHubError, ReplicationError, UnavailableError
from markethub.domain.node import NodeAddress
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.ports.replication import ChangeSet, SeriesDigests, SnapshotPage, SourceState, TableDigests
from markethub.ports.store import SeriesSummary
from markethub.replication.bandwidth import Bandwidth
from markethub.replication.frames import (
    Message,
    read_series_digests,
    read_table_digests,
    unpack_changes,
    unpack_part,
    unpack_snapshot,
)
from markethub.replication.link import RUN_HEADER, Link
from markethub.replication.pages import Part
from markethub.tables.klines import KLINES
from markethub.tables.records import RecordTable

T = TypeVar("T")

PREFIX = "/api/dms/replication"
_MOST_BYTES = 2**29
_ROWS_PER_PART = 250_000
_PAUSES_S = (0.2, 0.8, 1.5, 2.5, 3.5, 4.5)
"""Before the second try and each later one; a random part is left out, so that about ten seconds are left. A
link is often back by then, and a comparison that is given up begins anew."""
_PATIENCE_S = 10.0
_LEAST_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: object = None


class HttpSource:
    """A ``ReplicaSource`` on the store of ``address``.

    What cannot be read is asked for again, three times in all. One that does not answer, or whose answers are
    cut off, is asked for about ten seconds from the first failure on, and three times at least. Then
    ReplicationError or UnavailableError says what the last was. A refusal is a ReplicationError at once; so
    are changes that were trimmed, where ``ReplicaStore.read_changes`` has a ConflictError.

    ``read_state`` begins anew: until it is called again, every answer has to be from the same run of the
    other node, or is refused.
    """

    def __init__(
        self,
        link: Link,
        address: NodeAddress,
        *,
        compression: str,
        timeout_s: float,
        bandwidth: float | None,
        most_bytes: int = _MOST_BYTES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``compression`` is ``none``, ``lz4`` or ``zstd``; ``bandwidth`` the most bytes a second, None for
        no limit; ``timeout_s`` how long the other node may be silent; ``most_bytes`` the largest answer."""
        self._link = link
        self._address = address
        self._compression = compression
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)
        self._bandwidth = Bandwidth(bandwidth)
        self._most_bytes = most_bytes
        self._sleep = sleep
        self._clock = clock
        self._run: str | None = None

    async def read_state(self) -> SourceState:
        self._run = None  # whoever answers now is who is asked from here on
        return await self._ask(_Question("GET", "/state"), _json(lambda told: SourceState(**told)))

    async def read_changes(self, after: int, most_rows: int, selection: Selection) -> ChangeSet:
        body = {"after": after, "most_rows": most_rows, **self._ways(selection)}
        return await self._ask(_Question("POST", "/changes", body=body), unpack_changes)

    async def read_snapshot(self, cursor: str | None, most_rows: int, selection: Selection) -> SnapshotPage:
        body = {"cursor": cursor, "most_rows": most_rows, **self._ways(selection)}
        return await self._ask(_Question("POST", "/snapshot", body=body), unpack_snapshot)

    async def list_series(self, selection: Selection) -> list[SeriesSummary]:
        body = {"selection": selection.to_texts()}
        return await self._ask(_Question("POST", "/series", body=body), _json(_read_summaries))

    async def digest_series(self, series: Series) -> SeriesDigests:
        params = {"series": str(series)}
        return await self._ask(_Question("GET", "/digests", params), _json(read_series_digests))

    async def read_bars(self, series: Series, span: Span) -> pa.Table:
        async def read(rest: Span) -> Part:
            bounds = {name: str(value) for name, value in self._bounds(rest).items()}
            params = {"series": str(series), **bounds, "compression": self._compression}
            return await self._ask(_Question("GET", "/bars", params), partial(unpack_part, schema=KLINES))

        return await _read_parts(span, read)

    async def digest_table(self, table: RecordTable, selection: Selection) -> TableDigests:
        body = {"table": table.name, "selection": selection.to_texts()}
        return await self._ask(_Question("POST", "/table-digests", body=body), _json(read_table_digests))

    async def read_rows(self, table: RecordTable, span: Span, selection: Selection) -> pa.Table:
        async def read(rest: Span) -> Part:
            body = {"table": table.name, **self._bounds(rest), **self._ways(selection)}
            question = _Question("POST", "/rows", body=body)
            return await self._ask(question, partial(unpack_part, schema=table.schema))

        return await _read_parts(span, read)

    def _ways(self, selection: Selection) -> dict[str, object]:
        return {"selection": selection.to_texts(), "compression": self._compression}

    def _bounds(self, span: Span) -> dict[str, int]:
        return {"start_ms": span.start_ms, "end_ms": span.end_ms, "most_rows": _ROWS_PER_PART}

    async def _ask(self, question: _Question, read: Callable[[Message], T]) -> T:
        failed_s: float | None = None
        for tries, pause_s in enumerate(_PAUSES_S, start=1):
            try:
                return await self._try(question, read)
            except (UnavailableError, _BrokenError) as error:
                now_s = self._clock()
                failed_s = now_s if failed_s is None else failed_s
                # One that is silent has had its timeout each time; what comes broken costs a whole answer.
                is_over = now_s - failed_s >= _PATIENCE_S or isinstance(error, _BrokenError)
                if tries >= _LEAST_TRIES and is_over:
                    raise
                await self._sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - spreads followers
        return await self._try(question, read)

    async def _try(self, question: _Question, read: Callable[[Message], T]) -> T:
        message = await self._fetch(question)
        try:
            return await asyncio.to_thread(read, message)
        except ReplicationError as error:
            raise _BrokenError(
                f"{self._address.name} at {self._address.url}{PREFIX}{question.path}: {error}"
            ) from error

    async def _fetch(self, question: _Question) -> Message:
        async with self._link.open(
            self._address,
            question.method,
            PREFIX + question.path,
            params=question.params,
            body=question.body,
            timeout=self._timeout,
        ) as response:
            self._check_run(response)
            return await self._receive(response, question.path)

    def _check_run(self, response: aiohttp.ClientResponse) -> None:
        # Another store may have come in this one's place: an empty one, or a backup. What was found out about
        # the one before says nothing about that, and repairing by its word would delete what it lacks.
        run = response.headers.get(RUN_HEADER, "")
        if self._run is None:
            self._run = run
        elif run != self._run:
            raise ReplicationError(
                f"{self._address.name} at {self._address.url} was started anew meanwhile: what was read of "
                "it before does not count any more"
            )

    async def _receive(self, response: aiohttp.ClientResponse, path: str) -> Message:
        message = bytearray(self._check_size(response.content_length or 0, path))
        # Without a copy for each piece: messages are large.
        place = 0
        response.content.set_read_chunk_size(self._bandwidth.piece_bytes)
        while piece := await response.content.read(self._bandwidth.piece_bytes):
            message[place : place + len(piece)] = piece
            place += len(piece)
            self._check_size(place, path)
            await self._bandwidth.take(len(piece))
        del message[place:]
        return message

    def _check_size(self, size_bytes: int, path: str) -> int:
        if size_bytes > self._most_bytes:
            raise ReplicationError(
                f"{self._address.name} at {self._address.url} answers {PREFIX}{path} with "
                f"{size_bytes} bytes; {self._most_bytes} are the most"
            )
        return size_bytes


class _BrokenError(ReplicationError):
    """An answer that may be sound when it is asked for again."""


async def _read_parts(span: Span, read: Callable[[Span], Awaitable[Part]]) -> pa.Table:
    part = await read(span)
    rows = [part.rows]
    while part.rest_ms is not None:
        part = await read(Span(part.rest_ms, span.end_ms))
        rows.append(part.rows)
    return pa.concat_tables(rows)


def _json(read: Callable[[Any], T]) -> Callable[[Message], T]:
    def read_message(message: Message) -> T:
        try:
            return read(orjson.loads(message))
        except (ValueError, KeyError, TypeError, MarketHubError) as error:
            raise ReplicationError(f"the other node sent JSON that cannot be read: {error!r}") from error

    return read_message


def _read_summaries(told: Any) -> list[SeriesSummary]:  # noqa: ANN401 - JSON
    return [SeriesSummary(Series.parse(series), *counts) for series, *counts in told]
