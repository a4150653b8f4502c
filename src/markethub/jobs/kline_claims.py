"""Which stored claims of coverage a source of klines may build on."""

from collections.abc import Iterable

from markethub.domain.errors import ConflictError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.domain.times import parse_time
from markethub.ports.store import Coverage, SeriesStore

ALL_TIMES = Span(parse_time("0001-01-01"), parse_time("9999-01-01"))
_ARCHIVE = "archive:"
ADJUSTED = "adjusted"
"""Prices that every later split and dividend has scaled."""
_ADJUSTMENTS = ("raw", ADJUSTED)


def vouched_spans(claims: Iterable[Coverage], label: str) -> list[Span]:
    """The spans that a source called ``label``, or the archive beside it, has vouched for."""
    return [claim.span for claim in claims if claim.source == label or claim.source.startswith(_ARCHIVE)]


def adjustment_of(source: str) -> str | None:
    """``raw`` or ``adjusted`` where a claim's source ends in it, as those of stocks do; else None."""
    last = source.rpartition(" ")[2]
    return last if last in _ADJUSTMENTS else None


def check_adjustment(store: SeriesStore, series: Series, label: str) -> None:
    """Raise ConflictError where the series was filled with prices of another adjustment; blocks on the store.

    Raw and adjusted prices of one stock are different series: side by side they look like crashes that never
    were.
    """
    wanted = adjustment_of(label)
    if wanted is None:
        return
    for claim in store.covered(series, ALL_TIMES):
        if adjustment_of(claim.source) != wanted:
            raise ConflictError(
                f"{series} holds bars of source '{claim.source}' and cannot take {wanted} ones of source "
                f"'{label}': set venues.{series.symbol.venue}.adjustment back, or keep the others in a data "
                "folder of their own"
            )
