"""What of earlier backfills failed and was not made good since."""

from collections.abc import Iterable, Mapping, Sequence

from markethub.control.ended_chunks import EndedChunk, find_failed_chunks
from markethub.domain.span import Span, merge, subtract
from markethub.domain.support import DataKind
from markethub.domain.times import parse_time
from markethub.services.hub import Hub

_EXECUTIONS = 100
_MOST_CHUNKS = 50_000
_ALL_TIMES = Span(0, parse_time("9999-01-01"))

Failed = Mapping[str, Sequence[Span]]
"""Spans that failed, by the name of a series or owner, a symbol, an account or an exchange; never empty."""


async def find_failed(hub: Hub, kind: DataKind) -> Failed:
    """What failed in the newest hundred ended backfills of ``kind`` whose chunks are still stored."""
    async with hub.database.read() as connection:
        chunks = await find_failed_chunks(
            connection, kind.backfill_job, executions=_EXECUTIONS, limit=_MOST_CHUNKS
        )
    return replay_failures(chunks)


def replay_failures(chunks: Iterable[EndedChunk]) -> Failed:
    """What is left of failures, the oldest first, when later chunks have made some good."""
    left: dict[str, list[Span]] = {}
    for one in chunks:
        name, span = _about(one)
        before = left.get(name, [])
        if one.is_done:
            left[name] = [part for old in before for part in subtract(old, [span])]
        else:
            left[name] = merge([*before, span])
    return {name: spans for name, spans in left.items() if spans}


def failed_within(failed: Failed, names: Iterable[str], span: Span) -> list[Span]:
    """The parts of ``span`` that failed under any of ``names``, ascending."""
    parts = (old.intersect(span) for name in names for old in failed.get(name, ()))
    return merge(part for part in parts if part is not None)


def _about(one: EndedChunk) -> tuple[str, Span]:
    """Whose failure it is, and of which times: all of them for snapshots, and for what planning refused."""
    match one.parameters:
        case {"series": str(series), "start_ms": int(start_ms), "end_ms": int(end_ms)}:
            return series, Span(start_ms, end_ms)
        case {"account": str(account), "symbol": root, "start_ms": int(start_ms), "end_ms": int(end_ms)}:
            return account if root is None else f"{account} {root}", Span(start_ms, end_ms)
    return one.key, _ALL_TIMES
