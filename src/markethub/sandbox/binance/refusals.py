"""Binance's error replies: HTTP 400 with ``{"code": ..., "msg": ...}``.

Source: Binance Spot API, "Error codes"; the wordings are those the venue sends.
"""

import orjson
from aiohttp import web

JSON_TYPE = "application/json;charset=UTF-8"


def refuse(code: int, message: str) -> web.HTTPBadRequest:
    """The error to raise out of a handler; it becomes the reply."""
    return web.HTTPBadRequest(
        text=orjson.dumps({"code": code, "msg": message}).decode(), headers={"Content-Type": JSON_TYPE}
    )


def refuse_illegal(name: str, legal: str) -> web.HTTPBadRequest:
    return refuse(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def refuse_missing(name: str) -> web.HTTPBadRequest:
    return refuse(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid_symbol() -> web.HTTPBadRequest:
    return refuse(-1121, "Invalid symbol.")
