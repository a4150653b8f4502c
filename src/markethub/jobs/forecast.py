"""What the chunks of a plan will take, told before they run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.engine.handler import Handler, NewChunk, WorkLog
from markethub.ports.costs import Cost
from markethub.ports.venue import Venue


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one chunk will take, as far as anybody can know beforehand (None: nobody can).

    ``files`` are archive files. ``is_least`` says that it may cost more than ``cost``.
    """

    span: Span | None = None
    rows: int | None = None
    files: int = 0
    cost: Cost | None = None
    is_least: bool = False


@runtime_checkable
class ForeseeingHandler(Handler, Protocol):
    """A handler that can tell what its chunks will take."""

    async def foresee(self, chunks: Sequence[NewChunk], log: WorkLog) -> list[Forecast]:
        """One forecast for each of ``chunks``, which ``plan`` has just made, in their order.

        It may read stores and kept listings, but asks venues nothing that planning would not ask.
        """


def foresee_snapshot(venue: Venue, kind: DataKind, size: int, rows: int | None) -> Forecast:
    """The forecast of one snapshot; ``size`` as in ``Costs.snapshot``."""
    return Forecast(rows=rows, cost=None if venue.costs is None else venue.costs.snapshot(kind, size))
