"""What nodes of one group ask each other for their replicas."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.model import RequestModel, Text

Compression = Annotated[Literal["none", "lz4", "zstd"], Field(description="how columns are packed")]
MostRows = Annotated[int, Field(ge=1, le=1_000_000, description="about how many rows to answer with")]
TimeMs = Annotated[int, Field(ge=-(10**15), le=10**15, description="Unix milliseconds UTC")]
_Names = Annotated[tuple[Text, ...], Field(max_length=200_000)]


class SelectionBody(RequestModel):
    """Which part of the data is wanted; an empty field lets everything pass."""

    venues: _Names = ()
    symbols: _Names = ()
    intervals: _Names = ()
    kinds: _Names = ()


class SelectBody(RequestModel):
    """Everything, or a part of it."""

    selection: SelectionBody = SelectionBody()


class ChangesBody(SelectBody):
    """The changes after a revision."""

    after: Annotated[int, Field(ge=0, le=2**63 - 1)]
    most_rows: MostRows
    compression: Compression


class SnapshotBody(SelectBody):
    """A page of all contents; the first one where there is no cursor."""

    cursor: Text | None = None
    most_rows: MostRows
    compression: Compression


class TableBody(SelectBody):
    """A table of records."""

    table: Text


class RowsBody(TableBody):
    """The first rows of a time range of a table."""

    start_ms: TimeMs
    end_ms: TimeMs
    most_rows: MostRows
    compression: Compression


class DigestsQuery(RequestModel):
    """A series, as ``BTC_USDT.BNC 1h``."""

    series: Text


class BarsQuery(DigestsQuery):
    """The first bars of a time range of a series."""

    start_ms: TimeMs
    end_ms: TimeMs
    most_rows: MostRows
    compression: Compression
