"""The history of executions as one file."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from markethub.api.access import OpenHub, needs
from markethub.api.openapi import document_errors
from markethub.api.table_formats import MEDIA_TYPES, choose_among
from markethub.services import export
from markethub.wire.executions import ExecutionExportQuery, ExportFormat

router = APIRouter(prefix="/api/v1", tags=["executions"])

_FORMATS: dict[ExportFormat, str] = {"jsonl": "application/x-ndjson", "parquet": MEDIA_TYPES["parquet"]}
_FILE: dict[str, Any] = {
    "description": "Every execution that matches, in the order they were queued.",
    "content": {
        _FORMATS["jsonl"]: {"schema": {"type": "string", "description": "one execution as JSON a line"}},
        _FORMATS["parquet"]: {"schema": {"type": "string", "format": "binary"}},
    },
    "headers": {
        "X-Total-Count": {
            "description": "how many executions there were when the export began",
            "required": True,
            "schema": {"type": "integer", "minimum": 0},
        }
    },
}


@router.get(
    "/executions/export",
    summary="Export executions",
    dependencies=[Depends(needs("read:jobs"))],
    response_class=StreamingResponse,
    responses={200: _FILE, **document_errors(401, 403, 404, 422, 503)},
)
async def export_executions(
    request: Request, hub: OpenHub, query: Annotated[ExecutionExportQuery, Query()]
) -> StreamingResponse:
    """The whole history, or what matches of it, as JSON lines or Parquet. Scope `read:jobs`.

    `format` wins over the `Accept` header. Rows are those of `/api/v1/jobs/executions`; in Parquet `result`
    and `parameters_snapshot` are JSON text. What is queued while it is read is not in it.
    """
    format_name = query.format or choose_among(request.headers.get("accept"), _FORMATS)
    file = await export.export_executions(
        hub,
        format_name=format_name,
        job_id=query.job_id,
        search=query.search,
        before_ms=query.before,
        after_ms=query.after,
    )
    return StreamingResponse(
        file.parts,
        media_type=_FORMATS[format_name],
        headers={
            "Vary": "Accept",
            "X-Total-Count": str(file.total),
            "Content-Disposition": f"attachment; filename=executions.{format_name}",
        },
    )
