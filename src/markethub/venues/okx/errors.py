"""OKX's refusals.

Source: "Error Code", "REST API", "Public" of the OKX API v5 guide, its general and its API class. The HTTP
status that comes with a code is not to be relied on: 50120 is documented with 200 and has been seen with 401.
"""

import re

import orjson

from markethub.domain.errors import (
    ArchiveMissingError,
    KeyRefusedError,
    PermissionRefusedError,
    SymbolNotListedError,
)
from markethub.venues.transport.faults import FaultTable, Reaction, VenueWords

# How every success begins: a full page need not be read twice to learn that it is none of these.
_SUCCESS = b'{"code":"0",'

# 50110 quotes the key, and what is quoted ends in logs.
_KEY = re.compile(r"\b([0-9A-Fa-f]{4})[0-9A-Fa-f]{4}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b")


def read_words(_status: int, body: bytes) -> VenueWords | None:
    """The ``{"code": "51001", "msg": "..."}`` of a refusal, which may well come with HTTP 200.

    Of a key that the text quotes only the first four characters are left.
    """
    if body.startswith(_SUCCESS):
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # what stands in front of the venue answers in HTML
    match envelope:
        case {"code": str(code), "msg": str(text)} if code != "0":
            return VenueWords(code, _KEY.sub(r"\1...", text))
    return None


_INCOMPLETE_KEY = "give key, secret and passphrase of this account"
_KEY_ADVICE = {
    "50100": "the key is frozen; ask OKX's support",
    "50101": "the key is of the other environment; set the option simulated to true for a key of demo "
    "trading, and only then",
    "50103": _INCOMPLETE_KEY,
    "50104": _INCOMPLETE_KEY,
    "50105": "the passphrase is wrong; it was given when the key was made, and is not the login's password",
    "50106": _INCOMPLETE_KEY,
    "50107": _INCOMPLETE_KEY,
    "50111": "this is not a key of OKX; check that key and secret are not swapped or cut",
    "50113": "the signature does not fit; check the secret",
    "50119": "the key does not exist at this site; check the key, whether it was deleted, and that base_url "
    "is the site of the account's region",
}
_PERMISSION_ADVICE = {
    "50030": "the account may not use this endpoint",
    "50035": "OKX wants this key to be bound to addresses",
    "50110": "add this machine's address to the addresses of the key",
    "50114": "the key is not authorised for this",
    "50120": "give the key the permission to read",
    "50121": "OKX does not serve this machine's address",
}

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
        "50061": Reaction.WAIT,  # the account's requests are too many
        "50102": Reaction.RESYNC,  # the time of the request is over 30 s away
        "50112": Reaction.RESYNC,  # the time of the request cannot be read
        "51001": SymbolNotListedError,  # instrument does not exist
        **dict.fromkeys(_KEY_ADVICE, KeyRefusedError),
        **dict.fromkeys(_PERMISSION_ADVICE, PermissionRefusedError),
    },
    advice=_KEY_ADVICE | _PERMISSION_ADVICE,
)

BULK_FAULTS = FaultTable(
    venue="OKX bulk files",
    read_words=lambda _status, _body: None,
    # Stores of objects answer 403 for what is not there when one may not list them. Unverified for this one.
    statuses={403: ArchiveMissingError, 404: ArchiveMissingError, 429: Reaction.WAIT, 503: Reaction.WAIT},
)
