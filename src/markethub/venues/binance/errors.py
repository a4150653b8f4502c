"""Binance's refusals.

Sources: "HTTP Return Codes" of the Binance Spot REST API page and "Error codes for Binance".
"""

import orjson

from markethub.domain.errors import ArchiveMissingError, SymbolNotListedError
from markethub.venues.transport.faults import FaultTable, Reaction, VenueWords


def read_words(status: int, body: bytes) -> VenueWords | None:
    """The ``{"code": -1121, "msg": "..."}`` of a refusal; a success has no such envelope."""
    if status == 200:
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # the firewall in front of the venue answers in HTML
    match envelope:
        case {"code": int(code), "msg": str(text)}:
            return VenueWords(str(code), text)
    return None


REST_FAULTS = FaultTable(
    venue="BNC",
    read_words=read_words,
    statuses={
        429: Reaction.WAIT,
        418: Reaction.STOP,  # banned for having gone on after a 429
        403: Reaction.STOP,  # the firewall: too many requests, or one it dislikes
    },
    codes={
        "-1000": Reaction.RETRY,  # UNKNOWN
        "-1001": Reaction.RETRY,  # DISCONNECTED
        "-1003": Reaction.WAIT,  # TOO_MANY_REQUESTS
        "-1006": Reaction.RETRY,  # UNEXPECTED_RESP
        "-1007": Reaction.RETRY,  # TIMEOUT
        "-1008": Reaction.RETRY,  # SERVER_BUSY
        "-1121": SymbolNotListedError,  # BAD_SYMBOL
    },
)

ARCHIVE_FAULTS = FaultTable(
    venue="BNC archive",
    read_words=lambda _status, _body: None,
    statuses={404: ArchiveMissingError, 429: Reaction.WAIT, 503: Reaction.WAIT},  # 503 is S3's "Slow Down"
)
