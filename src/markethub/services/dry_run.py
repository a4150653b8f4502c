"""What a backfill would do and take, told without doing it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from markethub.domain.errors import InputError, UnavailableError
from markethub.domain.execution import new_trace_id
from markethub.domain.support import DataKind
from markethub.engine.handler import Parameters, Plan, RunningExecution
from markethub.jobs.forecast import Forecast, ForeseeingHandler
from markethub.services.hub import Hub

SHOWN_CHUNKS = 500
SHOWN_FAILURES = 100
LONGEST_S = 30.0
_SHOWN_NOTES = 50
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ForeseenChunk:
    """A chunk that would be stored, and what it would take."""

    key: str
    exchange: str
    forecast: Forecast


@dataclass(slots=True)
class Totals:
    """Sums over chunks; None where a summand is not known. ``is_least``: requests and weight may be more."""

    chunks: int = 0
    rows: int | None = 0
    files: int = 0
    requests: int | None = 0
    weight: int | None = 0
    is_least: bool = False

    def add(self, one: Forecast) -> None:
        self.chunks += 1
        self.rows = _sum(self.rows, one.rows)
        self.files += one.files
        self.requests = _sum(self.requests, None if one.cost is None else one.cost.requests)
        self.weight = _sum(self.weight, None if one.cost is None else one.cost.weight)
        self.is_least |= one.is_least


@dataclass(frozen=True, slots=True)
class DryRun:
    """The plan of a backfill that was not queued.

    ``chunks`` are the first of the plan, in the order they would be claimed, and ``failures`` the first of
    what cannot be had, by chunk, with the reason; the totals count all of both. ``notes`` are what planning
    had to say besides.
    """

    chunks: Sequence[ForeseenChunk]
    totals: Totals
    by_exchange: Mapping[str, Totals]
    failures: Mapping[str, str]
    failed: int
    notes: Sequence[str]


async def foresee_backfill(
    hub: Hub, kind: DataKind, parameters: Parameters, longest_s: float = LONGEST_S
) -> DryRun:
    """Plan as an execution would, by the same handler, and tell what its chunks would take.

    InputError where that takes longer than ``longest_s``; UnavailableError where no engine here could run it.
    """
    handler = hub.engine.handler(kind.backfill_job)
    if not isinstance(handler, ForeseeingHandler):
        raise UnavailableError(f"no worker of this hub runs {kind.backfill_job}, so nobody can plan it here")
    notes = _Notes()
    trace_id = new_trace_id(kind.backfill_job)
    try:
        async with asyncio.timeout(longest_s):
            plan = await handler.plan(RunningExecution(0, kind.backfill_job, trace_id, parameters, 0), notes)
            return await _foresee(handler, plan, notes)
    except TimeoutError:
        raise InputError(
            f"the plan is not ready after {longest_s:g} s; ask for a shorter range or fewer symbols at once"
        ) from None


async def _foresee(handler: ForeseeingHandler, plan: Plan, notes: "_Notes") -> DryRun:
    shown: list[ForeseenChunk] = []
    totals = Totals()
    by_exchange: dict[str, Totals] = {}
    chunks = sorted(plan.chunks, key=lambda chunk: -chunk.priority)
    # Bit by bit, so that others get their turn and a request that is too large ends in time.
    for start in range(0, len(chunks), _AT_ONCE):
        part = chunks[start : start + _AT_ONCE]
        for chunk, forecast in zip(part, await handler.foresee(part, notes), strict=True):
            totals.add(forecast)
            by_exchange.setdefault(chunk.queue, Totals()).add(forecast)
            if len(shown) < SHOWN_CHUNKS:
                shown.append(ForeseenChunk(chunk.key, chunk.queue, forecast))
    failures = dict(islice(plan.failures.items(), SHOWN_FAILURES))
    return DryRun(shown, totals, by_exchange, failures, len(plan.failures), notes.lines)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


@dataclass(slots=True)
class _Notes:
    """A WorkLog that keeps the first warnings and stores nothing."""

    lines: list[str] = field(default_factory=list)

    def debug(self, message: str) -> None: ...

    def info(self, message: str) -> None: ...

    def warning(self, message: str) -> None:
        if message not in self.lines and len(self.lines) < _SHOWN_NOTES:
            self.lines.append(message)

    def error(self, message: str) -> None:
        self.warning(message)
