"""Numbers for Prometheus: what this door did, and a reading of the hub at the moment of the scrape."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from markethub.api.access import OpenHub, admit
from markethub.api.locality import comes_from_this_machine
from markethub.api.openapi import document_errors
from markethub.api.replica_metrics import ReplicaReading
from markethub.domain.execution import ExecutionStatus
from markethub.services.dms_metrics import read_replica_metrics
from markethub.services.health import Metrics, read_metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

router = APIRouter()


class RequestMetrics:
    """Counts of one application; its registry is its own, so that several can live in a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "markethub_http_requests",
            "Requests answered; status 499: the caller went away first.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "markethub_http_request_seconds",
            "Time until the last byte of the answer was handed over.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    def observe(self, method: str, route: str, status: int, elapsed_s: float) -> None:
        """Count one request; ``route`` is its template, since paths would make endless series."""
        known = method if method in _METHODS else "OTHER"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(elapsed_s)

    def render(self) -> bytes:
        """Return the text exposition format."""
        return generate_latest(self._registry)


@router.get(
    "/metrics",
    tags=["operations"],
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **document_errors(401, 403, 503),
    },
)
async def show_metrics(request: Request, hub: OpenHub) -> Response:
    """Request counts and latencies, work by status, store size, venue budgets, slaves' lags.

    From this machine's loopback address no token is needed; from elsewhere one with `read:jobs`.
    """
    if not comes_from_this_machine(request):
        (await admit(request, hub)).require("read:jobs")
    counted: RequestMetrics = request.app.state.request_metrics
    reading = CollectorRegistry()
    reading.register(_HubReading(await read_metrics(hub)))
    reading.register(ReplicaReading(await read_replica_metrics(hub)))
    return Response(counted.render() + generate_latest(reading), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _HubReading(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        metrics = self._metrics
        queue = metrics.queue
        executions = GaugeMetricFamily(
            "markethub_executions", "Executions that wait or run, of all nodes.", labels=["status"]
        )
        executions.add_metric(["PENDING"], queue.executions_pending)
        executions.add_metric(["RUNNING"], queue.executions_running)
        chunks = GaugeMetricFamily(
            "markethub_chunks",
            "Units of work that wait (of all nodes) or run (on this one).",
            labels=["status"],
        )
        chunks.add_metric(["PENDING"], queue.chunks_pending)
        chunks.add_metric(["RUNNING"], queue.chunks_running)
        finished = CounterMetricFamily(
            "markethub_executions_finished",
            "Executions this node has ended since it started.",
            labels=["status"],
        )
        for status in ExecutionStatus:
            if status.is_final:
                finished.add_metric([status], metrics.finished.get(status, 0))
        worked = CounterMetricFamily(
            "markethub_chunks_finished",
            "Units of work this node has ended since it started.",
            labels=["status"],
        )
        worked.add_metric(["DONE"], metrics.chunks_done)
        worked.add_metric(["FAILED"], metrics.chunks_failed)
        yield from (executions, chunks, finished, worked)
        yield CounterMetricFamily(
            "markethub_chunks_retried", "Units of work this node has tried again.", metrics.chunks_retried
        )
        yield GaugeMetricFamily(
            "markethub_store_revision", "The newest write's revision.", metrics.store_revision
        )
        yield from self._collect_venues()

    def _collect_venues(self) -> Iterator[Metric]:
        used = GaugeMetricFamily(
            "markethub_venue_budget_used",
            "Weight or requests used in the venue's present window.",
            labels=["budget"],
        )
        limit = GaugeMetricFamily(
            "markethub_venue_budget_limit",
            "What that window allows; absent where there is no limit.",
            labels=["budget"],
        )
        waiting = GaugeMetricFamily(
            "markethub_venue_waiting_requests", "Requests waiting for budget.", labels=["budget"]
        )
        closed = GaugeMetricFamily(
            "markethub_venue_closed_until_seconds",
            "Unix time before which the venue wants no request; 0 when it does not say so.",
            labels=["budget"],
        )
        for limits in self._metrics.venue_limits:
            used.add_metric([limits.name], limits.used)
            if limits.limit is not None:
                limit.add_metric([limits.name], limits.limit)
            waiting.add_metric([limits.name], limits.waiting)
            closed.add_metric([limits.name], (limits.closed_until_ms or 0) / 1000)
        yield from (used, limit, waiting, closed)
