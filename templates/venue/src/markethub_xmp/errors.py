"""The venue's refusals. Source: "Errors" of the Example Exchange API page."""

import orjson

from markethub.domain.errors import SymbolNotListedError
from markethub.venues.transport.faults import FaultTable, Reaction, VenueWords


def read_words(status: int, body: bytes) -> VenueWords | None:
    """The ``{"error": "NO_SUCH_PAIR", "text": "..."}`` of a refusal."""
    if status == 200:
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # what stands in front of a venue answers in HTML
    match envelope:
        case {"error": str(code), "text": str(text)}:
            return VenueWords(code, text)
    return None


REST_FAULTS = FaultTable(
    venue="XMP",
    read_words=read_words,
    statuses={429: Reaction.WAIT},
    codes={"BUSY": Reaction.RETRY, "NO_SUCH_PAIR": SymbolNotListedError},
)
