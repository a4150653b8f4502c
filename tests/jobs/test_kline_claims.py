"""Claims of one source never complete another's, and prices of two adjustments never meet."""

import pytest

from markethub.domain.errors import ConflictError
from markethub.domain.span import Span
from markethub.domain.symbol import Series
from markethub.jobs.kline_claims import adjustment_of, check_adjustment, vouched_spans
from markethub.ports.store import Coverage
from markethub.stores.memory import MemorySeriesStore
from markethub.tables.klines import empty_klines

DAY = 86_400_000
AAPL = Series.parse("US.AAPL 1d")


def claim(start: int, end: int, source: str) -> Coverage:
    return Coverage(Span(start * DAY, end * DAY), source, checked_ms=0)


def test_a_source_builds_on_its_own_claims_and_on_the_archive_beside_it() -> None:
    claims = [
        claim(0, 1, "rest"),
        claim(1, 2, "archive:a.zip sha256:00"),
        claim(2, 3, "rest yahoo raw"),
        claim(3, 4, "folder raw"),
    ]
    assert vouched_spans(claims, "rest") == [Span(0, DAY), Span(DAY, 2 * DAY)]
    assert vouched_spans(claims, "rest yahoo raw") == [Span(DAY, 2 * DAY), Span(2 * DAY, 3 * DAY)]


@pytest.mark.parametrize(
    ("source", "adjustment"),
    [
        ("rest", None),
        ("archive:spot/raw sha256:raw0", None),
        ("rest yahoo raw", "raw"),
        ("folder adjusted", "adjusted"),
    ],
)
def test_the_adjustment_is_the_last_word(source: str, adjustment: str | None) -> None:
    assert adjustment_of(source) == adjustment


@pytest.mark.parametrize(
    ("stored", "label", "is_refused"),
    [
        ("rest yahoo raw", "rest yahoo raw", False),
        ("rest yahoo raw", "folder raw", False),
        ("rest yahoo raw", "rest yahoo adjusted", True),
        ("folder adjusted", "rest futu raw", True),
        ("rest", "rest yahoo raw", True),
        ("rest", "rest", False),
    ],
)
def test_prices_of_another_adjustment_are_refused(stored: str, label: str, is_refused: bool) -> None:
    store = MemorySeriesStore()
    check_adjustment(store, AAPL, label)
    store.upsert(AAPL, empty_klines(), [claim(10, 11, stored)]).result()
    if not is_refused:
        check_adjustment(store, AAPL, label)
        return
    with pytest.raises(ConflictError, match=f"US.AAPL 1d holds bars of source '{stored}'"):
        check_adjustment(store, AAPL, label)
