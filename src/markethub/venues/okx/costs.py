"""What questions cost at OKX: each request counts once, in the window of its endpoint."""

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.ports.costs import Cost
from markethub.venues.okx.ledger import BILLS_BEGAN_MS
from markethub.venues.okx.limits import PAGE_ROWS
from markethub.venues.okx.names import CODE
from markethub.venues.transport.page_costs import cost_pages

_SNAPSHOTS = {DataKind.SYMBOL: 1, DataKind.TICKER: 1, DataKind.ORDERBOOK: 1, DataKind.BALANCE: 2}


class OkxCosts:
    """Costs in requests."""

    def klines(self, interval: Interval, span: Span) -> Cost:
        return cost_pages(interval, span, PAGE_ROWS)

    def snapshot(self, kind: DataKind, size: int = 1) -> Cost:  # noqa: ARG002  (one question has them all)
        if kind not in _SNAPSHOTS:
            raise InputError(f"{CODE} has no snapshot of {kind}")
        return Cost(_SNAPSHOTS[kind], _SNAPSHOTS[kind])

    def ledger(self, kind: DataKind, span: Span) -> Cost:
        """One page, the empty one, of each endpoint that tells rows of ``kind``."""
        match kind:
            case DataKind.FILL:
                endpoints = 1
            case DataKind.ORDER:
                endpoints = 2
            case DataKind.TRANSFER:
                endpoints = 3 if span.end_ms > BILLS_BEGAN_MS else 2
            case _:
                raise InputError(f"{CODE} has no ledger of {kind}")
        return Cost(endpoints, endpoints)
