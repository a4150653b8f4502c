"""OKX's rules of paging through a ledger.

Source: "Order management", "Pagination" of the OKX trick guide, and the pages of the endpoints. Rows come out
newest first, cursors are exclusive, ``begin`` and ``end`` inclusive.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class LedgerCursor:
    """What was asked for; ``after`` means older and ``before`` newer than an id or a time."""

    after: int | None
    before: int | None
    begin_ms: int | None
    end_ms: int | None
    limit: int


def cut_page(
    rows: Sequence[Row],
    cursor: LedgerCursor,
    *,
    position: Callable[[Row], int],
    time_ms: Callable[[Row], int],
    is_shown: Callable[[Row], bool],
    oldest_with_begin: bool = False,
) -> list[Row]:
    """One page out of ``rows``, which ascend by ``position``: what the cursors count.

    Where more rows fit than a page holds, those nearest ``after`` or ``end`` are shown. With ``begin`` alone
    these are the newest, or, ``oldest_with_begin``, the ones nearest to it.
    """
    low = 0 if cursor.before is None else bisect_right(rows, cursor.before, key=position)
    high = len(rows) if cursor.after is None else bisect_left(rows, cursor.after, key=position)

    def fits(at: int) -> bool:
        row_ms = time_ms(rows[at])
        if cursor.begin_ms is not None and row_ms < cursor.begin_ms:
            return False
        return (cursor.end_ms is None or row_ms <= cursor.end_ms) and is_shown(rows[at])

    is_begin_alone = (
        cursor.begin_ms is not None and (cursor.end_ms, cursor.after, cursor.before) == (None,) * 3
    )
    if oldest_with_begin and is_begin_alone:
        found = [rows[at] for at in islice(filter(fits, range(low, high)), cursor.limit)]
        return found[::-1]
    return [rows[at] for at in islice(filter(fits, range(high - 1, low - 1, -1)), cursor.limit)]
