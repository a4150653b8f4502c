"""Answers that are a page of a table, in the format that was asked for."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from starlette.responses import StreamingResponse

from markethub.api.table_formats import MEDIA_TYPES
from markethub.api.table_streams import stream_table
from markethub.wire.series import TableFormat

_BINARY = {"schema": {"type": "string", "format": "binary"}}


def answer_page(
    rows: pa.Table, format_name: TableFormat, name: str, *, total: int, envelope: Mapping[str, object]
) -> StreamingResponse:
    """One page of what is called ``name``; in JSON beside the fields of ``envelope``.

    ``total`` rows are there without the page's bounds: a header tells them in every format.
    """
    headers = {"Vary": "Accept", "X-Total-Count": str(total)}
    if format_name in ("parquet", "csv"):
        headers["Content-Disposition"] = f"attachment; filename={name}.{format_name}"
    return StreamingResponse(
        stream_table(rows, format_name, envelope), media_type=MEDIA_TYPES[format_name], headers=headers
    )


def describe_formats() -> dict[str, dict[str, Any]]:
    """The ``content`` of such an answer besides JSON, for the OpenAPI document."""
    return {
        MEDIA_TYPES["arrow"]: _BINARY,
        MEDIA_TYPES["parquet"]: _BINARY,
        MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
    }
