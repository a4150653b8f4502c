"""The plan of a ledger backfill holds everything that is missing and can be had, once."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.span import Span, merge, subtract
from markethub.domain.symbol import Account
from markethub.domain.times import parse_time
from markethub.jobs.ledger_plan import (
    LedgerBackfill,
    LedgerChunk,
    LedgerOwner,
    LedgerUnit,
    find_wanted,
    plan_ledger_chunks,
)

DAY_MS = 86_400_000
START_MS = parse_time("2025-11-20")
_DAYS = st.integers(0, 200).map(lambda day: START_MS + day * DAY_MS + day)
_SPANS = st.lists(
    st.tuples(_DAYS, _DAYS).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Span(*pair)), max_size=5
)
OWNERS = [LedgerOwner(Account("OKX", "MM01")), LedgerOwner(Account("OKX", "MM01"), "BTC_USDT")]


@given(start=st.none() | _DAYS, end=_DAYS, reach=_DAYS, covered=_SPANS)
def test_wanted_and_lost_are_what_is_asked_for_and_not_covered(
    start: int | None, end: int, reach: int, covered: list[Span]
) -> None:
    wanted = find_wanted(start, end, reach, covered)
    first = reach if start is None else start
    lacking = subtract(Span(first, end), covered) if first < end else []
    assert merge([*wanted.missing, *wanted.lost]) == merge(lacking)
    assert all(span.start_ms >= reach for span in wanted.missing)
    assert all(span.end_ms <= reach for span in wanted.lost)


@given(_SPANS.map(merge), _SPANS.map(merge), st.sampled_from(LedgerUnit))
def test_chunks_tile_what_is_missing_newest_first(
    one: list[Span], other: list[Span], unit: LedgerUnit
) -> None:
    chunks = plan_ledger_chunks(dict(zip(OWNERS, (one, other), strict=True)), unit)
    assert len({chunk.key for chunk in chunks}) == len(chunks)
    assert [chunk.priority for chunk in chunks] == [-index for index in range(len(chunks))]
    units = [chunk.key.rpartition(" ")[2] for chunk in chunks]
    assert units == sorted(units, reverse=True)
    assert {len(name) for name in units} <= {len("2026-01" if unit is LedgerUnit.MONTH else "2026")}
    for owner, missing in zip(OWNERS, (one, other), strict=True):
        read = [LedgerChunk.from_parameters(chunk.parameters) for chunk in chunks]
        spans = sorted(chunk.span for chunk in read if chunk.owner == owner)
        assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(spans))
        # A chunk reaches from the first to the last gap of its month; every gap is in one.
        assert not [rest for gap in missing for rest in subtract(gap, spans)]
        assert all(any(span.intersect(gap) for gap in missing) for span in spans)


def test_a_request_reads_back_from_its_parameters() -> None:
    for wanted in (
        LedgerBackfill((Account("OKX", "MM01"),), (), None, START_MS),
        LedgerBackfill((Account("OKX", "MM01"), Account("OKX", "b")), ("BTC_USDT",), START_MS, START_MS + 1),
    ):
        assert LedgerBackfill.from_parameters(wanted.to_parameters()) == wanted
