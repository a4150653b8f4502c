"""Tables out of answers, decoded while they arrive: joined first, a long one would need its memory twice."""

import io
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import httpx2

from markethub.client.failures import not_a_hub

if TYPE_CHECKING:
    import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"


def read_table(response: httpx2.Response) -> "pa.Table":
    """Return the table of an Arrow stream that is still to be read; UnavailableError where it is none."""
    import pyarrow as pa  # noqa: PLC0415  (heavy; only who reads bars pays)

    parts = response.iter_bytes()
    try:
        with pa.ipc.open_stream(_Parts(parts)) as reader:
            table = reader.read_all()
    except pa.ArrowInvalid as error:
        raise not_a_hub(response) from error
    # Only the end that HTTP marks says that all has come, and lets the connection be used again.
    for _ in parts:
        pass
    return table


async def collect(response: httpx2.Response) -> httpx2.Response:
    """Receive what asyncio streams; return an equal answer that blocking code reads, once."""
    stream = _Collected([part async for part in response.aiter_raw()])
    return httpx2.Response(
        response.status_code, headers=response.headers, stream=stream, request=response.request
    )


class _Parts(io.RawIOBase):
    """Bytes that come in parts, as pyarrow reads a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found: list[memoryview] = []
        while size:
            if not self._left:
                part = next(self._parts, None)
                if part is None:
                    break
                self._left = memoryview(part)
            piece, self._left = (
                (self._left, memoryview(b"")) if size < 0 else (self._left[:size], self._left[size:])
            )
            found.append(piece)
            size -= len(piece) if size > 0 else 0
        return b"".join(found)


class _Collected(httpx2.SyncByteStream):
    """Parts that are let go as they are read."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = deque(parts)

    def __iter__(self) -> Iterator[bytes]:
        while self._parts:
            yield self._parts.popleft()
