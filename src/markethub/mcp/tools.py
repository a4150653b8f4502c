"""Which tools there are."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from markethub.mcp.node_tools import NODE_TOOLS
from markethub.mcp.tool import NoParameters, Shape, Tool
from markethub.wire.backfill import (
    BalanceBackfillRequest,
    KlineBackfillRequest,
    LedgerBackfillRequest,
    OrderbookBackfillRequest,
    SymbolBackfillRequest,
    TickerBackfillRequest,
    TransferBackfillRequest,
)
from markethub.wire.executions import ChunkQuery, ExecutionQuery
from markethub.wire.jobs import JobQuery
from markethub.wire.logs import LogQuery
from markethub.wire.model import RequestModel, Text
from markethub.wire.records import (
    BalanceQuery,
    FillQuery,
    OrderQuery,
    RejectQuery,
    SnapshotQuery,
    SymbolQuery,
    TransferQuery,
)
from markethub.wire.series import SpanQuery
from markethub.wire.statistics import StatisticsQuery
from markethub.wire.subscriptions import SubscriptionQuery, SubscriptionRequest

MOST_ROWS = 1000
"""Rows that one call of a tool reads at most where the API would allow more."""

_JobId = Annotated[Text, Field(description="a job's name or numeric id")]
_ExecutionId = Annotated[Text, Field(description="an execution's id or trace id")]


class JobChoice(RequestModel):
    """Which job."""

    job_id: _JobId


class JobExecutionQuery(ExecutionQuery):
    """Which of one job's executions; ``search`` matches the status, ``after``/``before`` are half-open."""

    job_id: _JobId


class JobStatisticsQuery(StatisticsQuery):
    """Which job, and which UTC days of its executions' ends."""

    job_id: _JobId


class ExecutionChoice(RequestModel):
    """Which execution."""

    execution_id: _ExecutionId


class ExecutionProgressQuery(ChunkQuery):
    """Which execution, and which of its chunks to show, by key."""

    execution_id: _ExecutionId


class SubscriptionChange(SubscriptionRequest):
    """What to subscribe to on the exchange, instead of what is subscribed now: symbols by name, none for an
    empty list, or what a rule chooses now and anew every day. Exactly one of symbols and rule."""

    exchange: Annotated[Text, Field(description="an exchange's code such as `BNC`")]


def _backfill(what: str, words: str, model: type[RequestModel]) -> Tool:
    return Tool(
        name=f"datahub_backfill_{what}",
        words=f"{words} Answers at once; the trace id finds the execution and its logs.",
        model=model,
        scope="write:backfill",
        path=f"/api/v1/backfill/{what}",
        shape=Shape.ONE,
        method="POST",
    )


def _records(table: str, words: str, model: type[RequestModel]) -> Tool:
    return Tool(
        name=f"datahub_{table}",
        words=words,
        model=model,
        scope="read:data",
        path=f"/api/v1/{table}",
        shape=Shape.PAGE,
        most_rows=MOST_ROWS,
        hidden=frozenset({"format"}),
    )


_BACKFILLS = (
    _backfill("klines", "Queue the download of bars (klines).", KlineBackfillRequest),
    _backfill("symbols", "Queue an update of what exchanges list.", SymbolBackfillRequest),
    _backfill("balances", "Queue a snapshot of accounts' balances.", BalanceBackfillRequest),
    _backfill("orders", "Queue the download of accounts' orders.", LedgerBackfillRequest),
    _backfill("fills", "Queue the download of accounts' fills.", LedgerBackfillRequest),
    _backfill(
        "transfers",
        "Queue the download of deposits, withdrawals and internal moves.",
        TransferBackfillRequest,
    ),
    _backfill("orderbook", "Queue a snapshot of order books.", OrderbookBackfillRequest),
    _backfill("ticker", "Queue a snapshot of tickers.", TickerBackfillRequest),
)

_WORK = (
    Tool("datahub_list_jobs", "List jobs.", JobQuery, "read:jobs", "/api/v1/jobs", Shape.PAGE),
    Tool("datahub_get_job", "Show one job.", JobChoice, "read:jobs", "/api/v1/jobs/{job_id}", Shape.ONE),
    Tool(
        "datahub_get_job_statistics",
        "Add up what a job's ended executions did: runs, results, average duration, rows.",
        JobStatisticsQuery,
        "read:jobs",
        "/api/v1/jobs/{job_id}/statistics",
        Shape.ONE,
    ),
    Tool(
        "datahub_list_job_executions",
        "List the executions of all jobs, newest first.",
        ExecutionQuery,
        "read:jobs",
        "/api/v1/jobs/executions",
        Shape.PAGE,
    ),
    Tool(
        "datahub_get_job_executions",
        "List the executions of one job, newest first.",
        JobExecutionQuery,
        "read:jobs",
        "/api/v1/jobs/{job_id}/executions",
        Shape.PAGE,
    ),
    Tool(
        "datahub_get_execution",
        "Show one execution with its progress.",
        ExecutionProgressQuery,
        "read:jobs",
        "/api/v1/executions/{execution_id}",
        Shape.ONE,
    ),
    Tool(
        "datahub_cancel_execution",
        "End an execution as FAILURE with the error `cancelled`; what it stored stays.",
        ExecutionChoice,
        "write:backfill",
        "/api/v1/executions/{execution_id}/cancel",
        Shape.ONE,
        method="POST",
        is_destructive=True,
    ),
    Tool(
        "datahub_retry_execution",
        "Queue again an execution that failed or timed out; it fetches what is missing.",
        ExecutionChoice,
        "write:backfill",
        "/api/v1/executions/{execution_id}/retry",
        Shape.ONE,
        method="POST",
    ),
    Tool(
        "datahub_list_logs",
        "List what executions logged.",
        LogQuery,
        "read:logs",
        "/api/v1/logs",
        Shape.PAGE,
    ),
)

_SUBSCRIPTIONS = (
    Tool(
        "datahub_list_subscriptions",
        "List the symbols that work without symbols of its own is about, and how they were chosen.",
        SubscriptionQuery,
        "read:data",
        "/api/v1/subscriptions",
        Shape.PAGE,
        hidden=frozenset({"format"}),
    ),
    Tool(
        "datahub_set_subscriptions",
        "Replace the subscribed symbols of one exchange.",
        SubscriptionChange,
        "write:backfill",
        "/api/v1/subscriptions/{exchange}",
        Shape.ONE,
        method="PUT",
        is_destructive=True,
    ),
)

_READS = (
    Tool(
        "datahub_klines",
        "Read stored bars (klines), ascending: from `start` on, or without it the newest before `end`.",
        SpanQuery,
        "read:data",
        "/api/v1/klines",
        Shape.BARS,
        most_rows=MOST_ROWS,
    ),
    Tool(
        "datahub_holes",
        "Find the bars that are missing, each run with the reason.",
        SpanQuery,
        "read:data",
        "/api/v1/klines/holes",
        Shape.LIST,
    ),
    Tool(
        "datahub_series",
        "List the stored series with their sizes.",
        NoParameters,
        "read:data",
        "/api/v1/series",
        Shape.LIST,
    ),
    _records("symbols", "Read what exchanges list.", SymbolQuery),
    _records("tickers", "Read stored tickers.", SnapshotQuery),
    _records("orderbooks", "Read stored order books.", SnapshotQuery),
    _records("balances", "Read what accounts held.", BalanceQuery),
    _records("orders", "Read accounts' orders.", OrderQuery),
    _records("fills", "Read accounts' own trades.", FillQuery),
    _records("transfers", "Read accounts' transfers.", TransferQuery),
    _records("rejects", "Read what was kept out of the data, and why.", RejectQuery),
    Tool(
        "datahub_accounts",
        "List the configured accounts, and what their keys were found to be.",
        NoParameters,
        "read:jobs",
        "/api/v1/accounts",
        Shape.LIST,
    ),
    Tool(
        "datahub_limits",
        "Show what the exchanges allow, and what was used of it.",
        NoParameters,
        "read:jobs",
        "/api/v1/limits",
        Shape.LIST,
    ),
)

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {tool.name: tool for tool in (*_BACKFILLS, *_WORK, *_SUBSCRIPTIONS, *_READS, *NODE_TOOLS)}
)
"""Every tool by its name, which is that of the client's method after ``datahub_``."""
