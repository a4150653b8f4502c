"""Reading a request's parameters as the venue reads them, with its refusals."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from multidict import MultiMapping

from markethub.sandbox.binance.names import LEGAL_SYMBOL, Pair, PairNames
from markethub.sandbox.binance.refusals import invalid_symbol, refuse, refuse_illegal

_LEGAL_LIST: Final = f'^\\[("{LEGAL_SYMBOL[1:-1]}"(,"{LEGAL_SYMBOL[1:-1]}"){{0,}}){{0,1}}\\]$'
_WHOLE_NUMBER: Final = "^[0-9]{1,20}$"
# Times are milliseconds or microseconds; as milliseconds this number is the year 5138.
MICROSECONDS_FROM: Final = 100_000_000_000_000


def check_parameters(query: MultiMapping[str], known: Sequence[str]) -> None:
    """Refuse a parameter that is there twice, or that nobody would read."""
    if len(set(query)) != len(query):
        raise refuse(-1101, "Duplicate values for a parameter detected.")
    if unread := sum(name not in known for name in query):
        raise refuse(
            -1104,
            f"Not all sent parameters were read; read '{len(query) - unread}' parameter(s) "
            f"but was sent '{len(query)}'.",
        )


def read_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if re.fullmatch(_WHOLE_NUMBER, text) is None:
        raise refuse_illegal(name, _WHOLE_NUMBER)
    return int(text)


def read_limit(query: Mapping[str, str], usual: int, most: int) -> int:
    """More than the maximum gives the maximum; of klines that is not documented."""
    limit = read_number(query, "limit")
    if limit is None:
        return usual
    if limit == 0:
        raise refuse(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)


def read_flag(query: Mapping[str, str], name: str, *, usual: bool) -> bool:
    text = query.get(name, str(usual).lower())
    if text not in ("true", "false"):
        raise refuse_illegal(name, "^(true|false)$")
    return text == "true"


def read_list(text: str, name: str) -> list[str]:
    """A JSON list of names that is not empty."""
    try:
        names = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise refuse_illegal(name, _LEGAL_LIST) from None
    if not isinstance(names, list) or not names or not all(isinstance(entry, str) for entry in names):
        raise refuse_illegal(name, _LEGAL_LIST)
    return names


def read_pairs(text: str, names: PairNames, now_ms: int) -> list[Pair]:
    """The pairs of a parameter ``symbols``."""
    found = [names.find(name, now_ms) for name in read_list(text, "symbols")]
    pairs = [pair for pair in found if pair is not None]
    if len(pairs) < len(found):
        raise invalid_symbol()
    if len({pair.name for pair in pairs}) < len(pairs):
        raise refuse(-1151, "Symbol is present multiple times in the list.")
    return pairs
