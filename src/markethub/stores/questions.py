"""What a store may be asked: the checks that every store's readers share."""

from collections.abc import Sequence

from markethub.domain.errors import InputError
from markethub.domain.span import Span, span_or_none
from markethub.domain.symbol import Series
from markethub.tables.klines import KLINES


def check_columns(columns: Sequence[str] | None) -> list[str]:
    """The columns to answer with, None meaning all; InputError unless each is known and named once."""
    if columns is None:
        return list(KLINES.names)
    unknown = [name for name in columns if name not in KLINES.names]
    if unknown or not columns or len(set(columns)) < len(columns):
        named = ", ".join(columns) or "none"
        raise InputError(f"columns {named[:200]!r} are not some of {', '.join(KLINES.names)}, each once")
    return list(columns)


def check_limit(limit: int | None) -> None:
    """InputError if ``limit`` is negative; None and 0 pass."""
    if limit is not None and limit < 0:
        raise InputError(f"limit {limit} is negative")


def align(series: Series, span: Span) -> Span | None:
    """The span from the first to behind the last grid point in ``span``; None if it holds no grid point."""
    return span_or_none(series.interval.ceil(span.start_ms), series.interval.ceil(span.end_ms))
