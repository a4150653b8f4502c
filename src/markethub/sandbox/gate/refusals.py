"""Gate's error replies: an HTTP status with ``{"label": ..., "message": ...}``.

Source: Gate API v4, "Error Handling". The wordings of the two refused ranges are those the venue has sent;
the others are the sandbox's own, as only labels are documented.
"""

import orjson
from aiohttp import web

JSON_TYPE = "application/json"


def refuse(label: str, message: str) -> web.HTTPBadRequest:
    """The error to raise out of a handler; it becomes the reply."""
    return web.HTTPBadRequest(text=_envelope(label, message).decode(), content_type=JSON_TYPE)


def refuse_missing(name: str) -> web.HTTPBadRequest:
    return refuse("MISSING_REQUIRED_PARAM", f"Missing required parameter: {name}")


def refuse_value(name: str, text: str) -> web.HTTPBadRequest:
    return refuse("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value: {text}")


def refuse_pair(name: str) -> web.HTTPBadRequest:
    return refuse("INVALID_CURRENCY_PAIR", f"Invalid currency pair {name}")


def refuse_long_range() -> web.HTTPBadRequest:
    return refuse(
        "INVALID_PARAM_VALUE",
        "Candlestick range too broad. Maximum 1000 data points are allowed per request",
    )


def refuse_old_range() -> web.HTTPBadRequest:
    return refuse("INVALID_PARAM_VALUE", "Candlestick too long ago. Maximum 10000 points ago are allowed")


def refuse_for_load() -> web.Response:
    body = _envelope("TOO_MANY_REQUESTS", "Request Rate limit Exceeded")
    return web.Response(status=429, body=body, content_type=JSON_TYPE)


def answer_unknown() -> web.Response:
    return web.Response(status=404, body=_envelope("NOT_FOUND", "Not found"), content_type=JSON_TYPE)


def _envelope(label: str, message: str) -> bytes:
    return orjson.dumps({"label": label, "message": message})
