"""Rows that came from a venue and may not be stored: kept apart, so that someone can look at them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.tables.records import TIME, RecordTable

LONGEST_PAYLOAD = 2_000


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that its table's rules forbid.

    ``key`` names it within its owner (a bar's open time as ISO 8601, an order's id); ``span`` is the time it
    stands for, which must not count as covered; ``payload`` is the row as the venue sent it.
    """

    key: str
    span: Span
    reason: str
    payload: str


REJECTS = RecordTable(
    name="rejects",
    schema=pa.schema(
        [
            pa.field("kind", pa.string(), nullable=False),
            pa.field("owner", pa.string(), nullable=False),
            pa.field("key", pa.string(), nullable=False),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("payload", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("time", TIME, nullable=False),
            pa.field("seen_time", TIME, nullable=False),
        ]
    ),
    key=("kind", "owner", "key"),
    time="seen_time",
    owner="owner",
)
"""The quarantine: one row per rejected row, as it was last seen.

``kind`` is the kind of data, ``owner`` the series, symbol or account, ``time`` the start of the span the row
stands for; ``payload`` is cut to 2,000 characters.
"""


def split_rows(
    rows: pa.Table, problems: Iterable[tuple[str, npt.ArrayLike]]
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """The rows without a problem, and the positions of the others with the first problem each has.

    A problem is its name and a boolean per row, never null. Without a bad row the table itself is returned.
    """
    found: dict[int, str] = {}
    for name, is_bad in problems:
        for position in np.flatnonzero(is_bad).tolist():
            found.setdefault(position, name)
    if not found:
        return rows, []
    is_good = np.ones(len(rows), np.bool_)
    is_good[list(found)] = False
    return rows.filter(pa.array(is_good)), sorted(found.items())


def tabulate_rejects(
    kind: DataKind, owner: str, rejects: Sequence[Reject], source: str, seen_ms: int
) -> pa.Table:
    """The rejects as rows of REJECTS; of equal keys the last one."""
    last = {reject.key: reject for reject in rejects}.values()
    columns = {
        "kind": pa.array([kind.value] * len(last), pa.string()),
        "owner": pa.array([owner] * len(last), pa.string()),
        "key": pa.array([reject.key for reject in last], pa.string()),
        "reason": pa.array([reject.reason for reject in last], pa.string()),
        "payload": pa.array([reject.payload[:LONGEST_PAYLOAD] for reject in last], pa.string()),
        "source": pa.array([source] * len(last), pa.string()),
        "time": pa.array([reject.span.start_ms for reject in last], TIME),
        "seen_time": pa.array([seen_ms] * len(last), TIME),
    }
    return pa.table(columns, schema=REJECTS.schema)
