"""Yahoo's refusals, as they were seen; none of them is documented."""

import orjson

from markethub.domain.errors import SymbolNotListedError
from markethub.venues.transport.faults import FaultTable, Reaction, VenueWords

_NO_DATA = "Data doesn't exist for startDate"


def read_words(status: int, body: bytes) -> VenueWords | None:
    """The ``{"chart": {"error": {"code": "Not Found", "description": "..."}}}`` of a refusal, or None."""
    if status == 200:
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # "Too Many Requests", "Edge: Not Found" and the like come as plain text
    match envelope:
        case {"chart": {"error": {"code": str(code), "description": str(text)}}}:
            return VenueWords(code, text)
    return None


def says_no_data(status: int, body: bytes) -> bool:
    """Whether a refusal only means that a listed stock has no bar in the span asked for."""
    words = read_words(status, body)
    return status == 400 and words is not None and words.text.startswith(_NO_DATA)


def fault_table(venue: str) -> FaultTable:
    """What the refusals mean, with ``venue`` in front of the messages."""
    return FaultTable(
        venue=venue,
        read_words=read_words,
        # 999 is Yahoo's own older word for too many requests.
        statuses={429: Reaction.WAIT, 999: Reaction.WAIT},
        codes={"Not Found": SymbolNotListedError, "Too Many Requests": Reaction.WAIT},
    )
