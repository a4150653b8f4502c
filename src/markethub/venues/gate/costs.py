"""What questions cost at Gate: each request counts once, in the window of its endpoint."""

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.ports.costs import Cost
from markethub.venues.gate.limits import PAGE_BARS
from markethub.venues.gate.names import CODE
from markethub.venues.transport.page_costs import cost_pages


class GateCosts:
    """Costs in requests."""

    def klines(self, interval: Interval, span: Span) -> Cost:
        return cost_pages(interval, span, PAGE_BARS)

    def snapshot(self, kind: DataKind, size: int = 1) -> Cost:  # noqa: ARG002  (one question has them all)
        if kind not in (DataKind.SYMBOL, DataKind.TICKER, DataKind.ORDERBOOK):
            raise InputError(f"{CODE} has no snapshot of {kind}")
        return Cost(1, 1)

    def ledger(self, kind: DataKind, span: Span) -> Cost:  # noqa: ARG002
        raise InputError(f"exchange {CODE} does not support {kind}: no account data")
