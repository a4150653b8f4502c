"""How values of the trading domain are written into columns, and read back."""

from collections.abc import Mapping
from typing import Any

import orjson

from markethub.domain.errors import InputError

MAX_ID = 2**63 - 1


def encode_json(value: object, field: str) -> str:
    """JSON text of ``value``; InputError naming ``field`` if it is not made of JSON values."""
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError) as error:  # orjson.JSONEncodeError is a TypeError
        raise InputError(f"{field} is not JSON: {error}") from error


def decode_object(text: str) -> dict[str, Any]:
    """The JSON object that ``encode_json`` wrote."""
    decoded: dict[str, Any] = orjson.loads(text)
    return decoded


def encode_object(value: Mapping[str, Any], field: str) -> str:
    """JSON text of an object; InputError naming ``field`` if it is not made of JSON values."""
    return encode_json(dict(value), field)


def is_storable(text: str) -> bool:
    """Whether both databases can hold ``text``: PostgreSQL refuses NUL, UTF-8 refuses lone surrogates."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def clean_text(text: str, max_chars: int) -> str:
    """``text`` made storable, and cut to ``max_chars``."""
    cleaned = text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    return cleaned if len(cleaned) <= max_chars else cleaned[: max_chars - 1] + "…"


def parse_id(text: str) -> int | None:
    """A row number written in plain decimal, or None where ``text`` cannot be one."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_ID)):
        return None
    number = int(text)
    return number if 0 < number <= MAX_ID else None
