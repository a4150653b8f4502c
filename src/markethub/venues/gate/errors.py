"""Gate's refusals.

Source: "Error Handling" and "label list" of the Gate API v4 page.
"""

import orjson

from markethub.domain.errors import ArchiveMissingError, SymbolNotListedError, VenueRefusedError
from markethub.venues.transport.faults import FaultTable, Reaction, VenueWords


def read_words(status: int, body: bytes) -> VenueWords | None:
    """The ``{"label": "INVALID_KEY", "message": "..."}`` of a refusal; a success has no such envelope."""
    if status == 200:
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # what stands in front of the venue answers in HTML
    match envelope:
        case {"label": str(label), "message": str(text)} | {"label": str(label), "detail": str(text)}:
            return VenueWords(label, text)
        case {"label": str(label)}:
            return VenueWords(label, "")
    return None


REST_FAULTS = FaultTable(
    venue="GIO",
    read_words=read_words,
    statuses={429: Reaction.WAIT},
    codes={
        "TOO_MANY_REQUESTS": Reaction.WAIT,
        "TOO_FAST": Reaction.WAIT,
        "TOO_BUSY": Reaction.WAIT,
        "INTERNAL": Reaction.RETRY,
        "SERVER_ERROR": Reaction.RETRY,
        "INVALID_CURRENCY_PAIR": SymbolNotListedError,
        "INVALID_CURRENCY": SymbolNotListedError,
        # Among others "Candlestick too long ago" and "Candlestick range too broad": asking again is useless.
        "INVALID_PARAM_VALUE": VenueRefusedError,
    },
)

BULK_FAULTS = FaultTable(
    venue="GIO bulk files",
    read_words=lambda _status, _body: None,
    # Stores of objects answer 403 for what is not there when one may not list them. Unverified for this one.
    statuses={403: ArchiveMissingError, 404: ArchiveMissingError, 429: Reaction.WAIT, 503: Reaction.WAIT},
)
