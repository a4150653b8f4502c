"""OKX's replies: an envelope of ``code``, ``msg`` and ``data`` for successes and refusals alike.

Source: OKX API v5 guide, "Error Code"; the wordings are those the venue sends.
"""

from collections.abc import Iterable

import orjson
from aiohttp import web

JSON_TYPE = "application/json"

_REFUSALS: dict[int, type[web.HTTPException]] = {
    200: web.HTTPOk,
    400: web.HTTPBadRequest,
    401: web.HTTPUnauthorized,
}


def reply(entries: Iterable[bytes]) -> web.Response:
    """A success whose ``data`` holds the entries, each printed as JSON."""
    body = b'{"code":"0","msg":"","data":[' + b",".join(entries) + b"]}"
    return web.Response(body=body, content_type=JSON_TYPE)


def refuse(status: int, code: str, message: str) -> web.HTTPException:
    """A refusal to raise, with HTTP 200, 400 or 401."""
    text = orjson.dumps({"code": code, "msg": message, "data": []}).decode()
    return _REFUSALS[status](text=text, content_type=JSON_TYPE)


def refuse_empty(name: str) -> web.HTTPException:
    return refuse(400, "50014", f"Parameter {name} can not be empty")


def refuse_wrong(name: str) -> web.HTTPException:
    return refuse(400, "51000", f"Parameter {name} error")


def refuse_instrument() -> web.HTTPException:
    """An unknown instrument is refused with HTTP 200."""
    return refuse(200, "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")


def refuse_for_load() -> web.Response:
    # As recorded: this refusal has no data.
    body = orjson.dumps({"msg": "Too Many Requests", "code": "50011"})
    return web.Response(body=body, status=429, content_type=JSON_TYPE)
