"""OKX's replies: an envelope of ``code``, ``msg`` and ``data`` for successes and refusals alike.

Source: OKX API v5 guide, "Error Code"; the wordings are those the venue sends.
"""

from collections.abc import Iterable

import orjson
from aiohttp import web

JSON_TYPE = "application/json"


def reply(entries: Iterable[bytes]) -> web.Response:
    """A success whose ``data`` holds the entries, each printed as JSON."""
    body = b'{"code":"0","msg":"","data":[' + b",".join(entries) + b"]}"
    return web.Response(body=body, content_type=JSON_TYPE)


def refuse_empty(name: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(
        text=_envelope("50014", f"Parameter {name} can not be empty"), content_type=JSON_TYPE
    )


def refuse_wrong(name: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=_envelope("51000", f"Parameter {name} error"), content_type=JSON_TYPE)


def refuse_instrument() -> web.HTTPOk:
    """An unknown instrument is refused with HTTP 200."""
    return web.HTTPOk(
        text=_envelope("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist."),
        content_type=JSON_TYPE,
    )


def refuse_for_load() -> web.Response:
    # As recorded: this refusal has no data.
    body = orjson.dumps({"msg": "Too Many Requests", "code": "50011"})
    return web.Response(body=body, status=429, content_type=JSON_TYPE)


def _envelope(code: str, message: str) -> str:
    return orjson.dumps({"code": code, "msg": message, "data": []}).decode()
