"""What the client's calls return: the server's JSON as plain dictionaries, typed."""

from typing import Any, NotRequired, TypedDict


class PlanTotalsAnswer(TypedDict):
    """Sums over chunks; None where nobody knows beforehand. ``at_least``: there may be more requests."""

    chunks: int
    rows: int | None
    archive_files: int
    requests: int | None
    request_weight: int | None
    at_least: bool


class ExchangePlanAnswer(PlanTotalsAnswer):
    """The part of a plan at one exchange."""

    exchange: str


class PlanChunkAnswer(TypedDict):
    """One unit of work, ``[start, end)``; the numbers as in the totals."""

    key: str
    exchange: str
    start: str | None
    end: str | None
    rows: int | None
    archive_files: int
    requests: int | None
    request_weight: int | None
    at_least: bool


class PlanFailureAnswer(TypedDict):
    """What cannot be had, and why."""

    key: str
    error: str


class PlanAnswer(TypedDict):
    """What a backfill would do now; the lists are cut, the totals and ``failed`` count all."""

    totals: PlanTotalsAnswer
    exchanges: list[ExchangePlanAnswer]
    chunks: list[PlanChunkAnswer]
    chunks_left_out: int
    failed: int
    failures: list[PlanFailureAnswer]
    notes: list[str]


class QueuedAnswer(TypedDict):
    """An accepted backfill; ``plan`` is there after a dry run only, which queued nothing."""

    execution_id: int
    trace_id: str
    status: str
    message: str
    plan: NotRequired[PlanAnswer]


class PaginationAnswer(TypedDict):
    """Where a page lies in the whole list; pages count from 1."""

    page: int
    page_size: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool


class JobAnswer(TypedDict):
    """One job; its ``id`` is its name. Times are ISO 8601 with a trailing Z, None until they happen.

    ``time_zone`` is there where the schedule has another one than UTC, ``paused`` where it is true.
    """

    id: str
    job_type: str
    name: str
    job_category: str
    description: str
    schedule_type: str | None
    schedule: str | None
    interval_seconds: int | None
    parameters: dict[str, Any]
    timeout_seconds: int | None
    max_instances: int
    enabled: bool
    last_run_at: str | None
    next_run_at: str | None
    created_at: str
    updated_at: str
    time_zone: NotRequired[str]
    paused: NotRequired[bool]


class JobPage(TypedDict):
    """A page of jobs."""

    data: list[JobAnswer]
    pagination: PaginationAnswer


class JobStatisticsAnswer(TypedDict):
    """What a job's ended executions did, those whose rows were cleaned up among them.

    ``failed_count`` leaves out those that timed out; ``avg_duration_ms`` is None where nothing had begun.
    """

    job_id: str
    since: str | None
    until: str | None
    total_runs: int
    success_count: int
    failed_count: int
    timeout_count: int
    avg_duration_ms: float | None
    processed: int
    inserted: int
    updated: int


class ExecutionAnswer(TypedDict):
    """One run of a job; times are ISO 8601 with a trailing Z, None until they happen."""

    id: str
    job_id: str
    job_name: str
    status: str
    started_at: str | None
    completed_at: str | None
    duration_ms: int | None
    result: dict[str, Any] | None
    error: str | None
    trace_id: str
    worker_id: str | None
    parameters_snapshot: dict[str, Any]
    created_at: str


class ChunkProgressAnswer(TypedDict):
    """How many units of work there were in the plan, and how many are in which status."""

    total: int
    pending: int
    running: int
    done: int
    failed: int


class ChunkAnswer(TypedDict):
    """One unit of work; ``attempts`` are the tries that have ended, ``error`` what the last of them met."""

    key: str
    status: str
    attempts: int
    error: str | None


class ChunkPage(TypedDict):
    """A page of an execution's units of work, by key."""

    data: list[ChunkAnswer]
    pagination: PaginationAnswer


class ExecutionProgressAnswer(ExecutionAnswer):
    """One execution with its progress; ``counters`` are the sums so far of what its chunks did."""

    chunks: ChunkProgressAnswer
    counters: dict[str, int]


class ExecutionDetailAnswer(ExecutionProgressAnswer):
    """With a page of its chunks; ``retry_of`` is the id of the one it runs again."""

    retry_of: str | None
    chunk_list: ChunkPage


class ExecutionPage(TypedDict):
    """A page of executions."""

    data: list[ExecutionAnswer]
    pagination: PaginationAnswer


class LogAnswer(TypedDict):
    """One log row."""

    id: str
    timestamp: str
    level: str
    message: str
    trace_id: str | None
    job_id: str | None
    execution_id: str | None
    worker_id: str | None


class LogPage(TypedDict):
    """A page of log rows."""

    data: list[LogAnswer]
    pagination: PaginationAnswer


class AuditAnswer(TypedDict):
    """One write and who did it; ``token_id`` is None for the command line on the hub's own machine."""

    id: str
    at: str
    token_id: str | None
    token_name: str
    address: str
    action: str
    target: str
    details: dict[str, Any]


class AuditPage(TypedDict):
    """A page of writes."""

    data: list[AuditAnswer]
    pagination: PaginationAnswer


class SeriesAnswer(TypedDict):
    """One stored series."""

    symbol: str
    interval: str
    rows: int
    first_open_time: str | None
    last_open_time: str | None
    revision: int


class SeriesPage(TypedDict):
    """Every stored series."""

    data: list[SeriesAnswer]


class HoleAnswer(TypedDict):
    """A run of missing bars, ``[start, end)``."""

    start: str
    end: str
    bars: int
    reason: str


class HolePage(TypedDict):
    """The holes of one series."""

    symbol: str
    interval: str
    data: list[HoleAnswer]


class RecordPage(TypedDict):
    """A page of one table's rows; amounts are exact decimals as strings, times ISO 8601 with a trailing Z."""

    data: list[dict[str, Any]]
    pagination: PaginationAnswer


class SubscriptionAnswer(TypedDict):
    """One subscribed symbol, and since when it has been."""

    exchange: str
    symbol: str
    created_at: str


class ExchangeSubscriptionsAnswer(TypedDict):
    """How an exchange's symbols were chosen; ``kind`` is explicit or rule, ``source`` config or api."""

    exchange: str
    kind: str
    rule: dict[str, Any] | None
    source: str
    count: int
    updated_at: str
    resolved_at: str | None


class SubscriptionPage(TypedDict):
    """A page of subscribed symbols; ``exchanges`` are those that somebody chose for, whatever the page."""

    data: list[SubscriptionAnswer]
    pagination: PaginationAnswer
    exchanges: list[ExchangeSubscriptionsAnswer]


class SubscriptionUpdateAnswer(ExchangeSubscriptionsAnswer):
    """An exchange after a change: all its symbols, and which of them are new or gone."""

    symbols: list[str]
    added: list[str]
    removed: list[str]


class KeyRightsAnswer(TypedDict):
    """What a key may do; None where the exchange does not tell."""

    can_read: bool | None
    can_trade: bool | None
    can_withdraw: bool | None
    is_ip_bound: bool | None


class AccountAnswer(TypedDict):
    """One configured account; ``state`` is ok, risky, refused, unreachable or unchecked."""

    account: str
    exchange: str
    state: str
    detail: str
    rights: KeyRightsAnswer | None
    checked_at: str | None


class AccountPage(TypedDict):
    """Every configured account."""

    data: list[AccountAnswer]


class LimitAnswer(TypedDict):
    """One budget of an exchange; ``limit`` and ``fleet_used`` are None where there is none."""

    exchange: str
    budget: str
    used: int
    limit: int | None
    window_seconds: float
    fleet_used: int | None
    waiting: int
    closed_until: str | None
    banned: bool


class LimitPage(TypedDict):
    """Every budget, ascending by exchange."""

    data: list[LimitAnswer]
