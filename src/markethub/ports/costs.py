"""What questions cost at a venue, by the venue's own numbers."""

from dataclasses import dataclass
from typing import Protocol

from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind


@dataclass(frozen=True, slots=True)
class Cost:
    """So many ``requests``, and the ``weight`` they count in the venue's budgets."""

    requests: int = 0
    weight: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.requests + other.requests, self.weight + other.weight)


class Costs(Protocol):
    """Tells costs before anything is asked; pure.

    What a venue asks besides, now and then and for everybody, is not part of it: its listing for the names of
    symbols, its clock.
    """

    def klines(self, interval: Interval, span: Span) -> Cost:
        """Every bar of ``span`` over REST, page after page, of an instrument that has one at each grid point.

        One that was listed later costs less.
        """

    def snapshot(self, kind: DataKind, size: int = 1) -> Cost:
        """One listing, one account's balances, ``size`` tickers at once, or a book of ``size`` levels."""

    def ledger(self, kind: DataKind, span: Span) -> Cost:
        """The least that an account's rows of ``span`` cost: how many pages they fill nobody knows before."""
