"""How the three exchanges write a page of bars, so that one suite can meet all of their parsers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.tables.klines import SortedBars
from markethub.venues.binance.parse import parse_exchange_info, parse_klines
from markethub.venues.binance.parse import parse_server_time as parse_binance_time
from markethub.venues.gate.parse import parse_candlesticks, parse_currency_pairs
from markethub.venues.gate.parse import parse_server_time as parse_gate_time
from markethub.venues.okx.parse import parse_candles, parse_instruments
from markethub.venues.okx.parse import parse_server_time as parse_okx_time

HOUR = 3_600_000
START = 1_685_167_200_000
SPAN = Span(START, START + 10 * HOUR)

NUMBERS = {
    "open": "8.5", "high": "9.0", "low": "8.0", "close": "8.75", "volume": "12.5", "quote_volume": "106.25",
    "taker_volume": "5.5", "taker_quote_volume": "46.75",
}  # fmt: skip


class Reading(NamedTuple):
    """One answer as read: the closed bars, and the open times of the oldest row and the oldest open bar."""

    closed: SortedBars
    first_ms: int | None
    open_ms: int | None


@dataclass(frozen=True)
class KlineFormat:
    """One exchange's page of bars: what stands where in a row, and in which order rows may come.

    ``closed`` and ``still_open`` are the words of the column ``closed``, where there is one. Rows may lack
    what follows after ``least_items``. ``step`` is -1 for newest first, None for either order.
    """

    venue: str
    columns: tuple[str, ...]
    least_items: int
    step: int | None
    write_time: Callable[[int], object]
    read_time: Callable[[Any], int]
    wrap: Callable[[object], object]
    parse: Callable[[bytes, Interval, Span, str], Reading]
    readers: tuple[Callable[[bytes], object], ...]
    closed: str = ""
    still_open: str = ""

    @property
    def source(self) -> str:
        return f"{self.venue} page"

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers that come to the table."""
        return [name for name in self.columns if name in NUMBERS]

    @property
    def says_closed(self) -> bool:
        return "closed" in self.columns

    def row(self, index: int = 0, /, **changes: object) -> list[Any]:
        """The sound bar that opens ``index`` hours after START, but for the columns in ``changes``."""
        open_ms = START + index * HOUR
        cells: dict[str, Any] = NUMBERS | {
            "open_time": self.write_time(open_ms), "close_time": open_ms + HOUR - 1, "trades": 3,
            "quote_volume_again": "106.25", "ignored": "0", "closed": self.closed,
        }  # fmt: skip
        assert set(changes) <= set(self.columns)
        return [(cells | changes)[name] for name in self.columns]

    def cell(self, row: Sequence[Any], name: str) -> Any:  # noqa: ANN401
        return row[self.columns.index(name)]

    def open_ms(self, row: Sequence[Any]) -> int:
        return self.read_time(row[0])

    def is_open(self, row: Sequence[Any]) -> bool:
        """Whether the row says that its bar still forms; a row that says nothing is of a closed one."""
        return (
            self.says_closed and len(row) == len(self.columns) and self.cell(row, "closed") == self.still_open
        )

    def in_order(self, rows: Sequence[Any]) -> list[Any]:
        """Ascending rows in the order in which the exchange sends them."""
        return list(rows[:: self.step or 1])

    def body(self, rows: object) -> bytes:
        return orjson.dumps(self.wrap(rows))

    def read(self, rows: object) -> Reading:
        """What the parser makes of a page with these rows, asked for SPAN."""
        return self.read_body(self.body(rows))

    def read_body(self, body: bytes) -> Reading:
        return self.parse(body, Interval.H1, SPAN, self.source)


def _parse_binance(body: bytes, interval: Interval, asked: Span, source: str) -> Reading:
    found = parse_klines(body, interval, asked, source)
    return Reading(found, found.first_ms, None)


def _parse_okx(body: bytes, interval: Interval, asked: Span, source: str) -> Reading:
    return Reading(*parse_candles(body, interval, asked, source))


def _parse_gate(body: bytes, interval: Interval, asked: Span, source: str) -> Reading:
    closed, open_ms = parse_candlesticks(body, interval, asked, source)
    return Reading(closed, open_ms if closed.first_ms is None else closed.first_ms, open_ms)


BINANCE = KlineFormat(
    venue="BNC",
    columns=(
        "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades",
        "taker_volume", "taker_quote_volume", "ignored",
    ),
    least_items=12,
    step=1,
    write_time=int,
    read_time=int,
    wrap=lambda rows: rows,
    parse=_parse_binance,
    readers=(parse_exchange_info, parse_binance_time),
)  # fmt: skip
OKX = KlineFormat(
    venue="OKX",
    columns=(
        "open_time", "open", "high", "low", "close", "volume", "quote_volume", "quote_volume_again", "closed",
    ),
    least_items=9,
    step=-1,
    write_time=str,
    read_time=int,
    wrap=lambda rows: {"code": "0", "msg": "", "data": rows},
    parse=_parse_okx,
    readers=(parse_instruments, parse_okx_time),
    closed="1",
    still_open="0",
)  # fmt: skip
GATE = KlineFormat(
    venue="GIO",
    columns=("open_time", "quote_volume", "close", "high", "low", "open", "volume", "closed"),
    least_items=7,
    step=None,
    write_time=lambda open_ms: str(open_ms // 1000),
    read_time=lambda text: int(text) * 1000,
    wrap=lambda rows: rows,
    parse=_parse_gate,
    readers=(parse_currency_pairs, parse_gate_time),
    closed="true",
    still_open="false",
)
