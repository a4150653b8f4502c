"""What the sandbox tells about itself: which of its bars are real, and what was asked of it."""

from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from markethub.domain.errors import UnavailableError
from markethub.domain.span import Span, span_or_none
from markethub.domain.times import parse_time

_TIMEOUT_S = 30.0
# The sandbox names columns by their unit; readers know them as the hub's.
_COLUMN_NAMES = {
    "quote_e8": "quote_volume",
    "taker_e8": "taker_volume",
    "taker_quote_e8": "taker_quote_volume",
}


@dataclass(frozen=True, slots=True)
class RealBars:
    """A recording: inside ``span`` the exchange serves nothing but real bars, ``holes`` included."""

    root: str
    interval: str
    span: Span
    bars: int
    holes: tuple[Span, ...]
    source: str
    licence: str
    made_up_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests so far, by what they were for."""

    kline_pages: int
    archive_files: int
    other: int
    refused: int

    def since(self, before: "Asked") -> "Asked":
        """What came after ``before``."""
        return Asked(
            self.kline_pages - before.kline_pages,
            self.archive_files - before.archive_files,
            self.other - before.other,
            self.refused - before.refused,
        )


def read_recordings(sandbox_url: str) -> list[RealBars]:
    """Every recording, ascending by symbol, interval and time."""
    return [_read_recording(found) for found in _get(f"{sandbox_url}/sandbox/recordings")["recordings"]]


def _read_recording(found: dict[str, Any]) -> RealBars:
    width_ms = _width_ms(found["interval"])
    holes = []
    for hole in found["holes"]:
        start_ms = parse_time(hole["start"])
        holes.append(Span(start_ms, start_ms + hole["bars"] * width_ms))
    return RealBars(
        root=found["symbol"],
        interval=found["interval"],
        span=Span(parse_time(found["start"]), parse_time(found["end"])),
        bars=found["bars"],
        holes=tuple(holes),
        source=found["source"],
        licence=found["licence"],
        made_up_columns=tuple(_COLUMN_NAMES.get(name, name) for name in found["made_up_columns"]),
    )


def _width_ms(interval: str) -> int:
    # The sandbox has widths that we do not store, such as 2h.
    unit_ms = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}[interval[-1]]
    return int(interval[:-1]) * unit_ms


def count_real_ms(recordings: list[RealBars], root: str, interval: str, span: Span) -> int:
    """How much of ``span`` is recorded for a series, in milliseconds."""
    parts = [
        span_or_none(max(span.start_ms, real.span.start_ms), min(span.end_ms, real.span.end_ms))
        for real in recordings
        if (real.root, real.interval) == (root, interval)
    ]
    return sum(part.width_ms for part in parts if part is not None)


def read_traffic(sandbox_url: str) -> Asked:
    """What was asked since the sandbox started."""
    stats = _get(f"{sandbox_url}/sandbox/stats")
    requests: dict[str, int] = stats["requests"]
    pages = requests.get("/api/v3/klines", 0)
    files = sum(count for path, count in requests.items() if path.startswith("/data/"))
    refused = sum(
        count
        for replies in stats["replies"].values()
        for status, count in replies.items()
        if status in ("418", "429")
    )
    return Asked(pages, files, sum(requests.values()) - pages - files, refused)


def _get(url: str) -> Any:  # noqa: ANN401  (each caller knows the shape)
    try:
        answer = httpx2.get(url, timeout=_TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
        return orjson.loads(answer.content)
    except (httpx2.HTTPError, orjson.JSONDecodeError) as error:
        raise UnavailableError(f"no good answer from {url}: {type(error).__name__}: {error}") from error
