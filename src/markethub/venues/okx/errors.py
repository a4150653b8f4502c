"""OKX's refusals.

Source: "Error Code", "REST API", "Public" of the OKX API v5 guide.
"""

import orjson

from markethub.domain.errors import SymbolNotListedError
from markethub.venues.transport.faults import FaultTable, Reaction, VenueWords

# How every success begins: a full page need not be read twice to learn that it is none of these.
_SUCCESS = b'{"code":"0",'


def read_words(_status: int, body: bytes) -> VenueWords | None:
    """The ``{"code": "51001", "msg": "..."}`` of a refusal, which may well come with HTTP 200."""
    if body.startswith(_SUCCESS):
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # what stands in front of the venue answers in HTML
    match envelope:
        case {"code": str(code), "msg": str(text)} if code != "0":
            return VenueWords(code, text)
    return None


REST_FAULTS = FaultTable(
    venue="OKX",
    read_words=read_words,
    statuses={429: Reaction.WAIT},
    codes={
        "50001": Reaction.RETRY,  # service temporarily unavailable
        "50004": Reaction.RETRY,  # the endpoint timed out, with HTTP 400
        "50011": Reaction.WAIT,  # rate limit, with HTTP 200 or 429
        "50013": Reaction.WAIT,  # systems are busy
        "50026": Reaction.RETRY,  # system error
        "50040": Reaction.WAIT,  # operations too frequent
        "51001": SymbolNotListedError,  # instrument does not exist
    },
)
