"""How far slaves have followed, what they brought, and requests to follow now."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from markethub.api.access import OpenHub
from markethub.api.bodies import document_body, json_body
from markethub.api.dms.gate import needs_dms, needs_role
from markethub.api.dms.nodes import SlaveName
from markethub.api.openapi import document_dms_errors
from markethub.domain.node import Role
from markethub.services import dms_sync
from markethub.services.dms_history import list_sync_history
from markethub.services.dms_sync import SyncRequest
from markethub.services.hub import Hub
from markethub.wire.dms import (
    Backup,
    CompletedSync,
    HistoryQuery,
    SyncAnswer,
    SyncBody,
    SyncCompleted,
    SyncHistory,
    SyncResult,
    SyncRow,
    SyncStatus,
    SyncTriggered,
    SyncTriggerQuery,
    TriggerResult,
)

router = APIRouter(prefix="/api/dms", tags=["dms"])

_SyncBody = Annotated[SyncBody, Depends(json_body(SyncBody, may_be_empty=True))]
_DOCUMENTED_BODY = document_body(SyncBody, may_be_empty=True)


@router.get(
    "/sync/status",
    summary="Show how far the slaves have followed",
    dependencies=[Depends(needs_dms("read:dms"))],
    responses=document_dms_errors(403),
)
async def show_sync_status(hub: OpenHub) -> SyncStatus:
    """Each slave's last sync and lag; a slave tells of itself alone. Scope `read:dms`. Nobody is asked."""
    backups = await dms_sync.list_backups(hub)
    return SyncStatus(backups=[_backup(backup) for backup in backups], total_backups=len(backups))


@router.get(
    "/sync/history",
    summary="Show what the slaves brought",
    dependencies=[Depends(needs_dms("read:dms"))],
    responses=document_dms_errors(400, 403),
)
async def show_sync_history(hub: OpenHub, query: Annotated[HistoryQuery, Query()]) -> SyncHistory:
    """What came by slave, symbol and interval, the newest first. Scope `read:dms`.

    A slave tells of itself alone. Without rows of `backup_name` the list is empty.
    """
    page = await list_sync_history(hub, backup_name=query.backup_name, limit=query.limit, offset=query.offset)
    return SyncHistory(
        history=[
            SyncRow(
                id=row.id,
                backup_name=row.backup_name,
                symbol=row.symbol,
                interval=row.interval,
                sync_mode=row.sync_mode,
                start_time=row.start_ms,
                end_time=row.end_ms,
                data_count=row.data_count,
                status=row.status,
                error=row.error or None,
            )
            for row in page.rows
        ],
        total=page.total,
    )


@router.post(
    "/sync/trigger",
    summary="Let slaves sync now",
    dependencies=[Depends(needs_dms("write:dms")), Depends(needs_role(Role.MASTER))],
    responses=document_dms_errors(400, 403, 404),
)
async def trigger_sync(hub: OpenHub, query: Annotated[SyncTriggerQuery, Query()]) -> SyncTriggered:
    """Tell one slave, or all, to pull what is new; on a master only. Scope `write:dms`.

    It answers when they have been told, not when they are done: `GET /api/dms/sync/status` shows that.
    """
    results = await dms_sync.trigger_sync(hub, query.backup_name)
    was_any_told = any(results.values())
    return SyncTriggered(
        success=was_any_told,
        message="Sync triggered" if was_any_told else _explain_silence(results),
        result=TriggerResult(success=was_any_told and all(results.values()), results=results),
    )


@router.post(
    "/slaves/{slave_name}/sync",
    summary="Let one slave compare and repair",
    dependencies=[Depends(needs_dms("write:dms")), Depends(needs_role(Role.MASTER))],
    responses=document_dms_errors(400, 403, 404, 413),
    openapi_extra=_DOCUMENTED_BODY,
)
async def sync_slave(hub: OpenHub, slave_name: SlaveName, body: _SyncBody) -> SyncAnswer:
    """Queue at one slave: pull, compare the symbol in the range, repair it. On a master only.

    Scope `write:dms`. `success` is false where the slave is disabled or does not answer, and the message
    says which. Without `symbol` everything is compared, without dates all times.
    """
    problem = await dms_sync.request_slave_sync(hub, slave_name, _read(hub, body))
    message = f"Sync request queued for {slave_name}" if problem is None else problem
    return SyncAnswer(success=problem is None, result=SyncResult(success=problem is None, message=message))


@router.post(
    "/sync/request",
    summary="Sync this slave",
    dependencies=[Depends(needs_dms("write:dms")), Depends(needs_role(Role.SLAVE))],
    responses=document_dms_errors(400, 403, 413),
    openapi_extra=_DOCUMENTED_BODY,
)
async def request_sync(hub: OpenHub, body: _SyncBody) -> SyncCompleted:
    """Pull all news, compare the symbol in the range with the master, repair it. On a slave only.

    Scope `write:dms`. It answers when the data is there; 503 while the master does not answer. Without
    `symbol` everything is compared, without dates all times.
    """
    rows = await dms_sync.sync_from_master(hub, _read(hub, body))
    return SyncCompleted(
        success=True, result=CompletedSync(success=True, message="Sync completed", rows=rows)
    )


def _read(hub: Hub, body: SyncBody) -> SyncRequest:
    return dms_sync.read_sync_request(hub, body.symbol, body.start_date, body.end_date)


def _explain_silence(results: dict[str, bool]) -> str:
    return "No slave could be told" if results else "No slaves are configured"


def _backup(backup: dms_sync.BackupReport) -> Backup:
    address, lag = backup.address, backup.lag
    return Backup(
        name=address.name,
        host=address.host,
        port=address.port,
        last_sync=None if lag is None else lag.last_sync_ms,
        enabled=backup.is_enabled,
        lag_seconds=None if lag is None else lag.seconds,
        lag_rows=None if lag is None else lag.rows,
        lag_revisions=None if lag is None else lag.revisions,
        last_verified=None if lag is None else lag.verified_ms,
        error=None if lag is None else lag.error,
    )
