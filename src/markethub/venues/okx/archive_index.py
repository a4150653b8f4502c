"""Where OKX keeps its bulk files: the index that tells their addresses."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from markethub.domain.calendar import DAY_MS
from markethub.domain.errors import VenueProtocolError
from markethub.ports.venue import ArchiveFile
from markethub.venues.okx.archive_files import UTC8_MS
from markethub.venues.okx.limits import DATA_HISTORY
from markethub.venues.okx.names import join_name
from markethub.venues.okx.parse import read_data
from markethub.venues.transport.caller import VenueCaller
from markethub.venues.transport.faults import quote_value
from markethub.venues.transport.request import Question

_MINUTE_CANDLES: Final = 2
_BLOCK_DAYS: Final = 20  # the most of one question
_FRESH_S: Final = 3600.0
_KEPT_BLOCKS: Final = 512
_ANSWER_BYTES: Final = 4 * 1024 * 1024


class ArchiveIndex:
    """Addresses by file name, asked for 20 days at a time and kept for an hour.

    Source: "Get historical market data" of the OKX API v5 guide.
    """

    def __init__(self, caller: VenueCaller, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._caller = caller
        self._monotonic = monotonic
        self._blocks: OrderedDict[tuple[str, int], tuple[float, Mapping[str, str]]] = OrderedDict()

    async def addresses(self, file: ArchiveFile) -> Mapping[str, str]:
        """The URL of each file of the instrument in the 20 days around ``file``, by file name.

        Raises what ``VenueCaller.ask`` raises, and VenueProtocolError for an answer that is no index.
        """
        name = join_name(file.series.symbol)
        block = (file.span.start_ms + UTC8_MS) // DAY_MS // _BLOCK_DAYS
        read_s, known = self._blocks.get((name, block), (-_FRESH_S, None))
        if known is not None and self._monotonic() - read_s < _FRESH_S:
            self._blocks.move_to_end((name, block))
            return known
        asked_s = self._monotonic()
        addresses = await self._ask(name, block * _BLOCK_DAYS)
        self._blocks[name, block] = (asked_s, addresses)
        self._blocks.move_to_end((name, block))
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return addresses

    async def _ask(self, name: str, first_day: int) -> dict[str, str]:
        # Only the date counts, and which clock's is not told: at midnight UTC, UTC+8 shows the same one.
        begin_ms = first_day * DAY_MS
        subject = f"bulk files of {name}"
        question = Question(
            path=DATA_HISTORY.path,
            params={
                "module": _MINUTE_CANDLES,
                "instType": "SPOT",
                "instIdList": name,
                "dateAggrType": "daily",
                "begin": begin_ms,
                "end": begin_ms + (_BLOCK_DAYS - 1) * DAY_MS,  # inclusive
            },
            weight=1,
            subject=subject,
            max_bytes=_ANSWER_BYTES,
        )
        return parse_index(await self._caller.ask(question), f"OKX {subject}")


def parse_index(body: bytes, source: str) -> dict[str, str]:
    """The URLs of an answer by file name; empty where the venue has no file.

    VenueProtocolError, starting with ``source``, when it is no index or has two addresses for one name.
    """
    addresses: dict[str, str] = {}
    for entry in read_data(body, source):
        for group in _read_list(entry, "details", source):
            for file in _read_list(group, "groupDetails", source):
                match file:
                    case {"filename": str(name), "url": str(url)} if addresses.get(name, url) == url:
                        addresses[name] = url
                    case _:
                        raise VenueProtocolError(f"{source}: not a file: {quote_value(file)}")
    return addresses


def _read_list(entry: object, name: str, source: str) -> list[Any]:
    found = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(found, list):
        raise VenueProtocolError(f"{source}: no {name} in {quote_value(entry)}")
    return found
