"""The job's handler where the venues are at fault."""

from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import parse_time
from markethub.engine.handler import RunningExecution
from markethub.jobs.kline_backfill import KlineBackfillHandler
from markethub.jobs.kline_plan import KlineBackfill
from markethub.jobs.quarantine import Quarantine
from markethub.stores.memory import MemorySeriesStore

NOW_MS = parse_time("2026-06-15T10:20:30Z")


class SilentLog:
    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


def execution(*symbols: str) -> RunningExecution:
    wanted = KlineBackfill(
        tuple(Symbol.parse(symbol) for symbol in symbols),
        (Series.parse("BTC_USDT.BNC 1h").interval,),
        Span(parse_time("2026-01-01"), parse_time("2026-02-01")),
    )
    return RunningExecution(1, "backfill_kline", "trace", wanted.to_parameters(), 0)


async def test_a_symbol_whose_exchange_has_no_adapter_is_a_failure_that_names_it() -> None:
    store = MemorySeriesStore()
    handler = KlineBackfillHandler({}, store, lambda: NOW_MS, Quarantine(store.records, lambda: NOW_MS))
    plan = await handler.plan(execution("BTC_USDT.BNC", "ETH_USDT.OKX"), SilentLog())
    assert plan.chunks == []
    assert dict(plan.failures) == {
        "BTC_USDT.BNC": "no adapter for exchange BNC is installed",
        "ETH_USDT.OKX": "no adapter for exchange OKX is installed",
    }
