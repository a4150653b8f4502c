"""Binance's error replies: HTTP 400 or 401 with ``{"code": ..., "msg": ...}``, and its other envelopes.

Source: Binance Spot API, "Error codes"; the wordings are those the venue sends.
"""

import orjson
from aiohttp import web

JSON_TYPE = "application/json;charset=UTF-8"
_NOT_FOUND_PAGE = """<html>
<head><title>404 Not Found</title></head>
<body><h1>404 Not Found</h1></body>
</html>
"""


def refuse(code: int, message: str) -> web.HTTPBadRequest:
    """The error to raise out of a handler; it becomes the reply."""
    return web.HTTPBadRequest(
        text=orjson.dumps({"code": code, "msg": message}).decode(), headers={"Content-Type": JSON_TYPE}
    )


def refuse_key(code: int, message: str) -> web.HTTPUnauthorized:
    """The error for a key that may not do this."""
    return web.HTTPUnauthorized(
        text=orjson.dumps({"code": code, "msg": message}).decode(), headers={"Content-Type": JSON_TYPE}
    )


def refuse_illegal(name: str, legal: str) -> web.HTTPBadRequest:
    return refuse(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def refuse_missing(name: str) -> web.HTTPBadRequest:
    return refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid_symbol() -> web.HTTPBadRequest:
    return refuse(-1121, "Invalid symbol.")


def answer_json(body: bytes) -> web.Response:
    """A good answer."""
    return web.Response(body=body, headers={"Content-Type": JSON_TYPE})


async def answer_unknown(_: web.Request) -> web.Response:
    """The page of a path that does not exist."""
    return web.Response(status=404, text=_NOT_FOUND_PAGE, content_type="text/html")
