"""Exact amounts out of a venue's text."""

import re
from collections.abc import Sequence
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.tables.records import AMOUNT
from markethub.venues.transport.faults import quote_value

# Arrow wraps around, without a word, what does not fit into its 128 bits: only what surely fits may be cast
# by it. Everything else that is a number goes through Decimal.
_PLAIN = r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"
_NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?")
_WHOLE_DIGITS, _DECIMALS = 20, 18
_SMALLEST, _EXACT = Decimal(1).scaleb(-_DECIMALS), Context(prec=200)


def read_amounts(texts: Sequence[object], name: str, source: str) -> pa.Array:
    """A column of AMOUNT (decimal128(38, 18)) out of a column of text, where ``""`` means null.

    VenueProtocolError, naming ``source`` and ``name``, for anything that is not text, not a finite number in
    ASCII digits (an exponent is fine), or needs more than 20 digits before or 18 after the point: nothing is
    ever rounded. Thousands of plain numbers cost a few microseconds each hundred.
    """
    if not set(map(type, texts)) <= {str}:
        odd = next(text for text in texts if type(text) is not str)
        raise VenueProtocolError(f"{source}: {name} {quote_value(odd)} is not text")
    column = pa.array(texts, pa.string())
    is_given = pc.not_equal(column, "")
    is_plain = pc.match_substring_regex(column, _PLAIN)
    if pc.all(pc.or_(is_plain, pc.invert(is_given)), min_count=0).as_py():
        return pc.if_else(is_given, column, pa.scalar(None, pa.string())).cast(AMOUNT)
    return pa.array([read_amount(text, name, source) for text in texts], AMOUNT)


def read_amount(text: object, name: str, source: str) -> Decimal | None:
    """One amount, by the rules of ``read_amounts``."""
    if text == "":
        return None
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise VenueProtocolError(f"{source}: {name} {quote_value(text)} is not a number in text")
    amount = Decimal(text)
    _, digits, exponent = amount.as_tuple()
    if not any(digits):
        return Decimal(0)
    decimals = -int(exponent) - (len(digits) - len("".join(map(str, digits)).rstrip("0")))
    if amount.adjusted() >= _WHOLE_DIGITS or decimals > _DECIMALS:
        raise VenueProtocolError(
            f"{source}: {name} {text[:140]!r} needs more than {_WHOLE_DIGITS} digits before the point "
            f"or {_DECIMALS} after it"
        )
    # Arrow takes more decimals than it keeps for a loss, though they are all 0.
    return amount if -int(exponent) <= _DECIMALS else amount.quantize(_SMALLEST, context=_EXACT)
