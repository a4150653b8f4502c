"""What a venue's listing of now says against the one before; pure."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from markethub.tables.records import times_ms
from markethub.tables.symbols import FACTS, SYMBOLS

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListingChanges:
    """What to write, and the symbols behind it, each list ascending.

    ``rows`` (SYMBOLS) are new versions and ended ones. ``changed`` symbols have one of each, ``added`` ones,
    among them those that came back, only a new version, ``vanished`` ones only an ended one.
    """

    rows: pa.Table
    added: list[str]
    changed: list[str]
    vanished: list[str]
    unchanged: int


def compare_listing(newest: pa.Table, listing: pa.Table, seen_ms: int) -> ListingChanges:
    """Compare a listing (LISTING) with the newest version of every symbol of its venue (SYMBOLS).

    ``seen_ms`` must be after every time in ``newest``; it is where new versions begin and old ones end.
    """
    before = {row["symbol"]: row for row in newest.to_pylist() if row["seen_until"] is None}
    now = {row["symbol"]: row for row in listing.to_pylist()}
    added = sorted(now.keys() - before.keys())
    vanished = sorted(before.keys() - now.keys())
    changed = sorted(
        symbol for symbol in now.keys() & before.keys() if _facts(now[symbol]) != _facts(before[symbol])
    )
    seen = pa.scalar(seen_ms, SYMBOLS.schema.field("seen_from").type).as_py()
    ended = [before[symbol] | {"seen_until": seen} for symbol in (*changed, *vanished)]
    begun = [now[symbol] | {"seen_from": seen, "seen_until": None} for symbol in (*added, *changed)]
    return ListingChanges(
        rows=pa.Table.from_pylist([*ended, *begun], schema=SYMBOLS.schema),
        added=added,
        changed=changed,
        vanished=vanished,
        unchanged=len(now) - len(added) - len(changed),
    )


def _facts(row: Row) -> list[object]:
    return [row[name] for name in FACTS]


def newest_time_ms(versions: pa.Table) -> int | None:
    """The latest ``seen_from`` or ``seen_until`` of SYMBOLS rows; None for none."""
    times = [
        time_ms
        for column in ("seen_from", "seen_until")
        for time_ms in times_ms(versions, column).to_pylist()
        if time_ms is not None
    ]
    return max(times, default=None)


def is_absurd(newest: pa.Table, listing: pa.Table) -> bool:
    """Whether a listing lacks more than half of the instruments that the one before had, or is empty."""
    before = {row["symbol"] for row in newest.to_pylist() if row["seen_until"] is None}
    kept = before.intersection(listing.column("symbol").to_pylist())
    return not len(listing) or 2 * len(kept) < len(before)


def same_instruments(one: pa.Table, other: pa.Table) -> bool:
    """Whether two listings name the same symbols."""
    return set(one.column("symbol").to_pylist()) == set(other.column("symbol").to_pylist())
