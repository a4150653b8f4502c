"""What nodes of the group ask the master for their replicas."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from functools import lru_cache
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from markethub.api.access import OpenHub
from markethub.api.bodies import json_body
from markethub.api.dms.gate import needs_cluster
from markethub.domain.selection import Selection
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.replication.frames import MEDIA_TYPE
from markethub.services import dms_replication as service
from markethub.wire.dms_replication import (
    BarsQuery,
    ChangesBody,
    DigestsQuery,
    RowsBody,
    SelectBody,
    SelectionBody,
    SnapshotBody,
    TableBody,
)

_PIECE_BYTES = 2**18
_SIGN_OF_LIFE_S = 5.0


async def _needs_reign(hub: OpenHub) -> None:
    # A replaced master holds what its successor may have changed: nobody follows it.
    hub.node.reign.require_reign()


async def _count_answer(hub: OpenHub) -> AsyncIterator[None]:
    # FastAPI ends this when the answer has been sent, or will not be any more.
    async with hub.node.serving.answer():
        yield


router = APIRouter(
    prefix="/api/dms/replication",
    include_in_schema=False,
    dependencies=[Depends(needs_cluster), Depends(_needs_reign), Depends(_count_answer)],
)


@router.get("/state", summary="Where this node stands")
async def read_replication_state(hub: OpenHub) -> Response:
    """The name of its history, its epoch, and the revisions whose changes can be read."""
    return _answer_json(await service.read_state(hub))


@router.post("/changes", summary="Changes after a revision")
async def read_replication_changes(
    hub: OpenHub, asked: Annotated[ChangesBody, Depends(json_body(ChangesBody))]
) -> Response:
    """A change set of whole revisions, as a message of `replication/frames.py`."""
    return _answer_message(
        await service.read_changes(
            hub,
            asked.after,
            asked.most_rows,
            _parse_selection(asked.selection),
            compression=service.choose_compression(asked.compression),
        )
    )


@router.post("/snapshot", summary="A page of all contents")
async def read_replication_snapshot(
    hub: OpenHub, asked: Annotated[SnapshotBody, Depends(json_body(SnapshotBody))]
) -> Response:
    """Bars, rows and claims from the cursor on, and the next cursor."""
    return _answer_message(
        await service.read_snapshot(
            hub,
            asked.cursor,
            asked.most_rows,
            _parse_selection(asked.selection),
            compression=service.choose_compression(asked.compression),
        )
    )


@router.post("/series", summary="The series there are")
async def list_replication_series(
    hub: OpenHub, asked: Annotated[SelectBody, Depends(json_body(SelectBody))]
) -> Response:
    """Each as its name, rows, first and last open time, and revision."""
    return await _answer_when_ready(service.list_series(hub, _parse_selection(asked.selection)))


@router.get("/digests", summary="The digests of a series")
async def digest_replication_series(hub: OpenHub, query: Annotated[DigestsQuery, Query()]) -> Response:
    """A digest a month, and the claims."""
    return await _answer_when_ready(service.digest_series(hub, Series.parse(query.series)))


@router.get("/bars", summary="Bars of a series")
async def read_replication_bars(hub: OpenHub, query: Annotated[BarsQuery, Query()]) -> Response:
    """The first bars of the range, and where the rest begins."""
    span = Span(query.start_ms, query.end_ms)
    compression = service.choose_compression(query.compression)
    return _answer_message(
        await service.read_bars(
            hub, Series.parse(query.series), span, query.most_rows, compression=compression
        )
    )


@router.post("/table-digests", summary="The digests of a table")
async def digest_replication_table(
    hub: OpenHub, asked: Annotated[TableBody, Depends(json_body(TableBody))]
) -> Response:
    """A digest a month of the rows that are selected, and the claims."""
    table = service.parse_table(asked.table)
    return await _answer_when_ready(service.digest_table(hub, table, _parse_selection(asked.selection)))


@router.post("/rows", summary="Rows of a table")
async def read_replication_rows(
    hub: OpenHub, asked: Annotated[RowsBody, Depends(json_body(RowsBody))]
) -> Response:
    """The first rows of the range that are selected, and where the rest begins."""
    return _answer_message(
        await service.read_rows(
            hub,
            service.parse_table(asked.table),
            Span(asked.start_ms, asked.end_ms),
            asked.most_rows,
            _parse_selection(asked.selection),
            compression=service.choose_compression(asked.compression),
        )
    )


@lru_cache(maxsize=64)
def _parse_selection(told: SelectionBody) -> Selection:
    # A slave asks with the same one again and again, and ten thousand names take a tenth of a second.
    return Selection.parse(told.model_dump())


def _answer_json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


async def _answer_when_ready(work: Coroutine[Any, Any, object]) -> Response:
    """The JSON of a result that may take minutes; blanks meanwhile show that somebody works on it."""
    task = asyncio.create_task(work)
    try:
        return _answer_json(await asyncio.wait_for(asyncio.shield(task), _SIGN_OF_LIFE_S))
    except TimeoutError:
        return StreamingResponse(_wait_with_blanks(task), media_type="application/json")
    except asyncio.CancelledError:
        task.cancel()
        raise


async def _wait_with_blanks(task: asyncio.Task[object]) -> AsyncIterator[bytes]:
    try:
        while not task.done():
            yield b" "
            await asyncio.wait([task], timeout=_SIGN_OF_LIFE_S)
        yield orjson.dumps(task.result())
    finally:
        task.cancel()


def _answer_message(message: list[bytes]) -> Response:
    size_bytes = sum(map(len, message))
    headers = {"Content-Length": str(size_bytes)}
    return StreamingResponse(_cut_pieces(message), media_type=MEDIA_TYPE, headers=headers)


async def _cut_pieces(message: list[bytes]) -> AsyncIterator[memoryview]:
    message.reverse()
    while message:
        # What has been sent is let go.
        view = memoryview(message.pop())
        for start in range(0, len(view), _PIECE_BYTES):
            yield view[start : start + _PIECE_BYTES]
