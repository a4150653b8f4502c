"""What a backfill would do, as a dry run answers it."""

from markethub.wire.backfill import QueuedResponse
from markethub.wire.model import AnswerModel
from markethub.wire.times import AnswerTime


class PlanTotals(AnswerModel):
    """Sums over chunks; null where nobody knows beforehand.

    ``requests`` and ``request_weight`` are over REST, in the exchange's own numbers, its listing and its
    clock not counted. ``at_least`` says that there may be more of them: pages of a ledger, and what archive
    files turn out to lack.
    """

    chunks: int
    rows: int | None
    archive_files: int
    requests: int | None
    request_weight: int | None
    at_least: bool


class ExchangePlan(PlanTotals):
    """The part of a plan at one exchange."""

    exchange: str


class PlanChunk(AnswerModel):
    """One unit of work: ``[start, end)``, null for a snapshot; the numbers as in the totals."""

    key: str
    exchange: str
    start: AnswerTime | None
    end: AnswerTime | None
    rows: int | None
    archive_files: int
    requests: int | None
    request_weight: int | None
    at_least: bool


class PlanFailure(AnswerModel):
    """What cannot be had, and why: the execution would end as FAILURE for it."""

    key: str
    error: str


class BackfillPlan(AnswerModel):
    """What a backfill would do now.

    ``chunks`` are the first of all in the order they would run, ``failures`` the first of all failures; the
    totals and ``failed`` count the others as well. ``notes`` are what planning had to say besides.
    """

    totals: PlanTotals
    exchanges: list[ExchangePlan]
    chunks: list[PlanChunk]
    chunks_left_out: int
    failed: int
    failures: list[PlanFailure]
    notes: list[str]


class PlannedResponse(QueuedResponse):
    """A dry run: nothing was queued, so the id is 0 and the trace id empty; ``status`` is ``planned``."""

    plan: BackfillPlan
