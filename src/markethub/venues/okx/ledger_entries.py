"""Records of the ledger as they come: raw, with the id and the times they are paged by; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from markethub.domain.errors import VenueProtocolError
from markethub.domain.span import Span
from markethub.tables.records import AMOUNT, RecordTable
from markethub.tables.rejects import Reject, split_rows
from markethub.venues.okx.parse import read_data, read_time_ms
from markethub.venues.transport.amounts import read_amount, read_amounts
from markethub.venues.transport.faults import quote_value

_ZERO = pa.scalar(0, AMOUNT)


class EntryFields(NamedTuple):
    """Under which names an endpoint tells a record's id, its time, and the time that orders its pages."""

    id: str
    time: str
    paged_time: str


class Entry(NamedTuple):
    """One record: ``row`` as the venue sent it; the times are Unix milliseconds."""

    id: str
    time_ms: int
    paged_ms: int
    row: dict[str, Any]


class Tabulated(NamedTuple):
    """Records as rows of their table, in the order given, and those whose numbers make no sense."""

    rows: pa.Table
    rejected: list[Reject]


def read_entries(body: bytes, fields: EntryFields, source: str) -> list[Entry]:
    """Read one answer of a ledger endpoint, in its order; a record that comes twice is kept once.

    VenueProtocolError, starting with ``source``, when it is no list of records with id and times, or when
    one id stands for two different records.
    """
    entries: dict[str, Entry] = {}
    for row in read_data(body, source):
        if not isinstance(row, dict):
            raise VenueProtocolError(f"{source}: not a record: {quote_value(row)}")
        name = row.get(fields.id)
        if not isinstance(name, str) or not name:
            raise VenueProtocolError(f"{source}: a record without {fields.id}: {quote_value(row)}")
        paged_ms = read_time_ms(row.get(fields.paged_time), fields.paged_time, source)
        time_ms = paged_ms
        if fields.time != fields.paged_time:
            time_ms = read_time_ms(row.get(fields.time), fields.time, source)
        known = entries.setdefault(name, Entry(name, time_ms, paged_ms, row))
        if known.row is not row and _flatten(known.row) != _flatten(row):
            raise VenueProtocolError(f"{source}: two different records with {fields.id} {name[:40]!r}")
    return list(entries.values())


class EntryColumns:
    """Reads the records of one page column by column and keeps apart those that make no sense.

    What breaks the documentation (a field of another type, an unknown word) refuses the whole page with
    VenueProtocolError; a number that cannot be true rejects its record only.
    """

    def __init__(self, entries: Sequence[Entry], source: str) -> None:
        self.entries = entries
        self.source = source
        self._problems: list[tuple[str, pa.Array]] = []

    def texts(self, field: str) -> list[str]:
        """A column of text; a field that is absent reads as empty."""
        texts = [entry.row.get(field, "") for entry in self.entries]
        if not set(map(type, texts)) <= {str}:
            raise VenueProtocolError(f"{self.source}: {field} is not text: {quote_value(texts)}")
        return texts

    def words(self, field: str, meanings: Mapping[str, str | None]) -> list[str | None]:
        """What each of the venue's words means; VenueProtocolError for a word without a meaning."""
        words = self.texts(field)
        unknown = set(words) - set(meanings)
        if unknown:
            raise VenueProtocolError(f"{self.source}: {field} {quote_value(sorted(unknown))} is not known")
        return [meanings[word] for word in words]

    def amounts(self, field: str) -> pa.Array:
        """A column of AMOUNT, null where nothing is told; what is no such amount is rejected."""
        texts = self.texts(field)
        try:
            return read_amounts(texts, field, self.source)
        except VenueProtocolError:
            return pa.array([self._read_amount(field, at, text) for at, text in enumerate(texts)], AMOUNT)

    def _read_amount(self, field: str, position: int, text: str) -> object:
        try:
            return read_amount(text, field, self.source)
        except VenueProtocolError as error:
            reason = str(error).removeprefix(f"{self.source}: ")
            self.reject(reason, [at == position for at in range(len(self.entries))])
            return None

    def positive(self, field: str) -> pa.Array:
        """A column of amounts above 0; a record without one is rejected."""
        column = self.amounts(field)
        self.reject(f"{field} is not above 0", _fails(pc.greater(column, _ZERO)))
        return column

    def at_least_zero(self, field: str) -> pa.Array:
        """A column of amounts of at least 0; a record without one is rejected."""
        column = self.amounts(field)
        self.reject(f"{field} is not a number of at least 0", _fails(pc.greater_equal(column, _ZERO)))
        return column

    def optional_at_least_zero(self, field: str) -> pa.Array:
        """A column of amounts of at least 0, null where nothing is told."""
        column = self.amounts(field)
        self.reject(f"{field} is negative", pc.fill_null(pc.less(column, _ZERO), False))
        return column

    def price(self, field: str) -> pa.Array:
        """A column of prices, null where there is none, which the venue writes as nothing or as 0."""
        column = self.optional_at_least_zero(field)
        return pc.if_else(pc.equal(column, _ZERO), pa.scalar(None, AMOUNT), column)

    def reject(self, reason: str, is_bad: Sequence[bool] | pa.Array) -> None:
        """Keep the marked records out of the rows; the first reason of each counts."""
        self._problems.append((reason, pa.array(is_bad, pa.bool_()) if isinstance(is_bad, list) else is_bad))

    def tabulate(self, table: RecordTable, columns: Mapping[str, Any]) -> Tabulated:
        """The records as rows of ``table`` out of its columns by name."""
        filled = [pa.array(columns[field.name], field.type) for field in table.schema]
        rows = pa.Table.from_arrays(filled, schema=table.schema)
        sound, found = split_rows(rows, self._problems)
        return Tabulated(sound, [_reject(self.entries[at], reason) for at, reason in found])


def null_if_empty(texts: Iterable[str]) -> list[str | None]:
    """Their way of telling nothing is an empty text, ours is null."""
    return [text or None for text in texts]


def _fails(holds: pa.Array) -> pa.Array:
    return pc.invert(pc.fill_null(holds, False))


def _reject(entry: Entry, reason: str) -> Reject:
    span = Span(entry.time_ms, entry.time_ms + 1)
    return Reject(entry.id, span, reason, orjson.dumps(_flatten(entry.row)).decode())


def _flatten(row: Mapping[str, Any]) -> dict[str, str]:
    """The record with all values as text, whatever depth an unused field has."""
    return {name: value if isinstance(value, str) else quote_value(value) for name, value in row.items()}
