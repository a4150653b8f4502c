"""Which rows and claims of a table a selection takes."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import InputError
from markethub.domain.selection import Selection
from markethub.domain.symbol import Account, Symbol
from markethub.tables.catalog import TABLE_OF
from markethub.tables.records import RecordTable

_KIND_OF = {table.name: kind for kind, table in TABLE_OF.items()}


def takes_table(selection: Selection, table: RecordTable) -> bool:
    """Whether rows of ``table`` may be taken; rejected rows go with every selection."""
    kind = _KIND_OF.get(table.name)
    return kind is None or selection.takes_kind(kind)


def select_rows(selection: Selection, table: RecordTable, rows: pa.Table) -> pa.Table:
    """The rows that ``selection`` takes, in their order."""
    if not takes_table(selection, table):
        return rows.slice(0, 0)
    if not (selection.venues or selection.symbols) or not len(rows):
        return rows
    owners = rows.column(table.owner)
    if "symbol" in table.schema.names and table.owner != "symbol":
        owners = pc.binary_join_element_wise(owners, rows.column("symbol"), " ")
    taken = [owner for owner in pc.unique(owners).to_pylist() if _takes(selection, owner)]
    return rows.filter(pc.is_in(owners, value_set=pa.array(taken, pa.string())))


def takes_claim(selection: Selection, table: RecordTable, owner: str) -> bool:
    """Whether a claim about ``owner`` is still true of what ``selection`` takes.

    One about a whole venue or account is not where only some symbols are taken.
    """
    if not takes_table(selection, table):
        return False
    subject = _subject_of(owner)
    if subject.instrument is None and selection.symbols and "symbol" in table.schema.names:
        return False
    return _takes(selection, owner)


class _Subject(NamedTuple):
    """What an owner is about: a venue or an account as a whole, or one instrument there."""

    venue: str
    instrument: str | None


def _takes(selection: Selection, owner: str) -> bool:
    venue, instrument = _subject_of(owner)
    if instrument is None or not selection.symbols:
        return selection.takes_venue(venue)
    try:
        return selection.takes_symbol(Symbol(venue, instrument))
    except InputError:
        return False  # an instrument that has no name of ours is none of those that were chosen


def _subject_of(owner: str) -> _Subject:
    head, _, rest = owner.partition(" ")
    try:
        symbol = Symbol.parse(head)  # also the head of a series
    except InputError:
        pass
    else:
        return _Subject(symbol.venue, symbol.instrument)
    try:
        venue = Account.parse(head).venue
    except InputError:
        return _Subject(head, None)
    return _Subject(venue, rest or None)
