"""Binance's refusals.

Sources: "HTTP Return Codes" of the Binance Spot REST API page and "Error codes for Binance"; -2008 and -1099
are answered below ``/sapi`` and stand in no list.
"""

import orjson

from markethub.domain.errors import (
    ArchiveMissingError,
    KeyRefusedError,
    PermissionRefusedError,
    SymbolNotListedError,
)
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


_ONE_OF_THREE = (
    "check that the key exists, that this machine's IP address is on its list, and that it has the "
    "permission to read: the venue does not tell which of the three it was"
)

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
        "-1002": PermissionRefusedError,  # UNAUTHORIZED
        "-1003": Reaction.WAIT,  # TOO_MANY_REQUESTS
        "-1006": Reaction.RETRY,  # UNEXPECTED_RESP
        "-1007": Reaction.RETRY,  # TIMEOUT
        "-1008": Reaction.RETRY,  # SERVER_BUSY
        "-1021": Reaction.RESYNC,  # INVALID_TIMESTAMP
        "-1022": KeyRefusedError,  # INVALID_SIGNATURE
        "-1099": PermissionRefusedError,  # not found, authenticated, or authorized
        "-1121": SymbolNotListedError,  # BAD_SYMBOL
        "-2008": KeyRefusedError,  # invalid API key id
        "-2014": KeyRefusedError,  # BAD_API_KEY_FMT
        "-2015": PermissionRefusedError,  # REJECTED_MBX_KEY
    },
    advice={
        "-1002": _ONE_OF_THREE,
        "-1021": "the request was longer under way than recv_window_ms",
        "-1022": "check that the secret belongs to the key and that the key is of the HMAC type",
        "-1099": _ONE_OF_THREE,
        "-2008": "check the key: the venue does not know it",
        "-2014": "check the key: it is not written as the venue writes keys",
        "-2015": _ONE_OF_THREE,
    },
)

ARCHIVE_FAULTS = FaultTable(
    venue="BNC archive",
    read_words=lambda _status, _body: None,
    statuses={404: ArchiveMissingError, 429: Reaction.WAIT, 503: Reaction.WAIT},  # 503 is S3's "Slow Down"
)
