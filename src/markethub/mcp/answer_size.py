"""How much of an answer fits into a model's context."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

BYTES_PER_TOKEN = 4
"""An estimate that holds for JSON of names and numbers; in other scripts a character has more bytes."""

ANSWER_TOKENS = 20_000
"""Tokens of one answer at most, unless the settings say otherwise."""


def measure(value: object) -> int:
    """The bytes of ``value`` as JSON."""
    return len(orjson.dumps(value))


def fit_rows(rows: Sequence[dict[str, Any]], room_bytes: int, *, from_end: bool) -> list[dict[str, Any]]:
    """The first rows, or the last ones, that have room; in their order, and one at least if there are any.

    A row that has no room even alone is shortened.
    """
    kept: list[dict[str, Any]] = []
    left = room_bytes
    ordered: Iterable[dict[str, Any]] = reversed(rows) if from_end else rows
    for row in ordered:
        size = measure(row) + 1
        if size > left:
            if not kept:
                kept.append(shorten(row, room_bytes))
            break
        kept.append(row)
        left -= size
    return kept[::-1] if from_end else kept


def shorten(document: dict[str, Any], room_bytes: int) -> dict[str, Any]:
    """``document`` with its long lists, objects and texts cut alike until it has room.

    Its own keys stay; what was cut ends with how much is missing.
    """
    longest = 4096
    cut = document
    while measure(cut) > room_bytes and longest > 0:
        cut = {name: _cut(value, longest) for name, value in document.items()}
        longest //= 2
    return cut


def _cut(value: object, longest: int) -> object:
    match value:
        case str() if len(value) > longest + 30:  # else the remark is longer than what it stands for
            return f"{value[:longest]}... ({len(value) - longest} more characters)"
        case list():
            kept: list[object] = [_cut(inner, longest) for inner in value[:longest]]
            return kept if len(value) <= longest else [*kept, f"... ({len(value) - longest} more)"]
        case dict():
            few = {name: _cut(inner, longest) for name, inner in list(value.items())[:longest]}
            return few if len(value) <= longest else {**few, "...": f"({len(value) - longest} more)"}
    return value
