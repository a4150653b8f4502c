"""What parameters of the jobs on klines must have to do with each other."""

from collections.abc import Mapping
from typing import Any

from markethub.domain.errors import InputError
from markethub.domain.interval import SESSION_INTERVALS
from markethub.domain.symbol import Symbol, is_stock_market
from markethub.domain.task import MODE, TaskType
from markethub.jobs.kline_sync_plan import DEFAULT_INTERVALS

_OF_ONE_MODE = {
    "start": TaskType.FULL_SYNC,
    "recheck_bars": TaskType.INCREMENTAL,
    "lookback_days": TaskType.INCREMENTAL,
}

EXAMPLES = """\
[jobs.daily_update_us]
category = "sync"
type = "kline"
description = "Daily bars of some American stocks, after the close"
cron = "30 17 * * 1-5"
time_zone = "America/New_York"
parameters = { symbols = ["US.AAPL", "US.MSFT"], intervals = ["1d"] }

[jobs.daily_update_hk]
category = "sync"
type = "kline"
description = "Daily bars of all stocks of Hong Kong that the folder or the symbols_file names"
cron = "0 17 * * 1-5"
time_zone = "Asia/Hong_Kong"
parameters = { exchanges = ["HK"], whole_market = true, intervals = ["1d"] }

[jobs.full_sync_us]
category = "sync"
type = "kline"
description = "The whole history of an American stock, once a week"
cron = "0 6 * * 6"
parameters = { mode = "full_sync", symbols = ["US.AAPL"], intervals = ["1d"], start = "2010-01-01" }
"""
"""Tasks as the configuration spells them."""


def check_task(parameters: Mapping[str, Any]) -> None:
    """Raise InputError where parameters of ``sync_kline``, each of them right, do not fit together."""
    mode = TaskType.of(parameters)
    for name, wanted in _OF_ONE_MODE.items():
        if name in parameters and mode is not wanted:
            raise InputError(f"parameter {name} belongs to {MODE} {wanted}, and this is {mode}")
    if parameters.get("whole_market") and "symbols" in parameters:
        raise InputError("parameter whole_market takes everything that is listed: leave out symbols")
    if not parameters.get("whole_market"):
        check_stocks(parameters, ", or set whole_market = true")
    stocks = [*_markets(parameters), *_stock_symbols(parameters)]
    if not stocks:
        return
    for interval in parameters.get("intervals", DEFAULT_INTERVALS):
        if interval not in SESSION_INTERVALS:
            named = "" if "intervals" in parameters else ", which it means when left out"
            raise InputError(
                f"parameter intervals: {stocks[0]} has no {interval} bars{named}; of stocks there are "
                f"{', '.join(SESSION_INTERVALS)}"
            )


def check_stocks(parameters: Mapping[str, Any], or_else: str = "") -> None:
    """Raise InputError where a stock market is named without saying which stocks: nobody subscribes to any.

    ``or_else`` is what its message says may be done instead of naming some.
    """
    named = {symbol.venue for symbol in _stock_symbols(parameters)}
    for market in _markets(parameters):
        if market not in named:
            raise InputError(
                f"parameter exchanges: no stock of {market} is ever subscribed; name symbols on it{or_else}"
            )


def _markets(parameters: Mapping[str, Any]) -> list[str]:
    return [code for code in parameters.get("exchanges", ()) if is_stock_market(code)]


def _stock_symbols(parameters: Mapping[str, Any]) -> list[Symbol]:
    symbols = (Symbol.parse(text) for text in parameters.get("symbols", ()))
    return [symbol for symbol in symbols if symbol.is_stock]
