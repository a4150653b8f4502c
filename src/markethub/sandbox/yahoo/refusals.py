"""Yahoo's refusals, in the words that users have quoted; see ``venues/stocks/yahoo/limits.py``."""

import orjson
from aiohttp import web

JSON_TYPE = "application/json"


def refuse_unknown() -> web.HTTPNotFound:
    """The error to raise out of a handler; it becomes the reply."""
    return web.HTTPNotFound(
        text=_envelope("Not Found", "No data found, symbol may be delisted"), content_type=JSON_TYPE
    )


def refuse_input(description: str) -> web.HTTPUnprocessableEntity:
    return web.HTTPUnprocessableEntity(
        text=_envelope("Unprocessable Entity", description), content_type=JSON_TYPE
    )


def refuse_span(interval: str, start_s: int, end_s: int, reason: str) -> web.HTTPUnprocessableEntity:
    return refuse_input(
        f"{interval} data not available for startTime={start_s} and endTime={end_s}. {reason}"
    )


def refuse_no_data(start_s: int, end_s: int) -> web.HTTPBadRequest:
    """What a listed stock answers where it has no bar at all."""
    return web.HTTPBadRequest(
        text=_envelope("Bad Request", f"Data doesn't exist for startDate = {start_s}, endDate = {end_s}"),
        content_type=JSON_TYPE,
    )


def refuse_for_load() -> web.Response:
    return web.Response(status=429, text="Too Many Requests\r\n")


def _envelope(code: str, description: str) -> str:
    return orjson.dumps(
        {"chart": {"result": None, "error": {"code": code, "description": description}}}
    ).decode()
