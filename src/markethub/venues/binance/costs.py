"""What questions cost at Binance."""

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.support import DataKind
from markethub.ports.costs import Cost
from markethub.venues.binance.limits import (
    ACCOUNT_WEIGHT,
    EXCHANGE_INFO_WEIGHT,
    FUNDING_WEIGHT,
    KLINES_PAGE_ROWS,
    KLINES_WEIGHT,
    split_tickers,
    weigh_book,
    weigh_tickers,
)
from markethub.venues.binance.names import CODE
from markethub.venues.transport.page_costs import cost_pages


class BinanceCosts:
    """Costs in request weight, that of ``/sapi`` added to that of ``/api``."""

    def klines(self, interval: Interval, span: Span) -> Cost:
        return cost_pages(interval, span, KLINES_PAGE_ROWS, KLINES_WEIGHT)

    def snapshot(self, kind: DataKind, size: int = 1) -> Cost:
        match kind:
            case DataKind.SYMBOL:
                return Cost(1, EXCHANGE_INFO_WEIGHT)
            case DataKind.TICKER:
                return _cost_tickers(size)
            case DataKind.ORDERBOOK:
                return Cost(1, weigh_book(size))
            case DataKind.BALANCE:
                return Cost(2, ACCOUNT_WEIGHT + FUNDING_WEIGHT)
            case _:
                raise InputError(f"{CODE} has no snapshot of {kind}")

    def ledger(self, kind: DataKind, span: Span) -> Cost:  # noqa: ARG002
        raise InputError(f"exchange {CODE} does not support {kind}: of accounts, balances only")


def _cost_tickers(size: int) -> Cost:
    # Only how many there are counts, not which.
    parts = split_tickers([""] * size)
    if parts is None:
        return Cost(1, weigh_tickers(None))
    return sum((Cost(1, weigh_tickers(len(part))) for part in parts), Cost())
