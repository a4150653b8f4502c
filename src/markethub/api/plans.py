"""Plans of backfills as they are answered."""

from typing import Any

from markethub.services.backfill import Queued
from markethub.services.dry_run import DryRun, ForeseenChunk, Totals
from markethub.wire.plans import (
    BackfillPlan,
    ExchangePlan,
    PlanChunk,
    PlanFailure,
    PlannedResponse,
    PlanTotals,
)


def show_planned(planned: Queued, plan: DryRun) -> PlannedResponse:
    """The answer to whoever asked for a dry run."""
    return PlannedResponse(
        execution_id=planned.execution_id,
        trace_id=planned.trace_id,
        status=planned.status,
        message=planned.message,
        plan=BackfillPlan(
            totals=PlanTotals(**_total_fields(plan.totals)),
            exchanges=[
                ExchangePlan(exchange=code, **_total_fields(totals))
                for code, totals in plan.by_exchange.items()
            ],
            chunks=[_chunk(one) for one in plan.chunks],
            chunks_left_out=plan.totals.chunks - len(plan.chunks),
            failed=plan.failed,
            failures=[PlanFailure(key=key, error=error) for key, error in plan.failures.items()],
            notes=list(plan.notes),
        ),
    )


def _total_fields(totals: Totals) -> dict[str, Any]:
    return {
        "chunks": totals.chunks,
        "rows": totals.rows,
        "archive_files": totals.files,
        "requests": totals.requests,
        "request_weight": totals.weight,
        "at_least": totals.is_least,
    }


def _chunk(one: ForeseenChunk) -> PlanChunk:
    told = one.forecast
    return PlanChunk(
        key=one.key,
        exchange=one.exchange,
        start=None if told.span is None else told.span.start_ms,
        end=None if told.span is None else told.span.end_ms,
        rows=told.rows,
        archive_files=told.files,
        requests=None if told.cost is None else told.cost.requests,
        request_weight=None if told.cost is None else told.cost.weight,
        at_least=told.is_least,
    )
