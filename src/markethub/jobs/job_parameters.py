"""What a scheduled job may be told: the parameters that each handler takes, and their checks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.support import LEDGER_KINDS, SUPPORT, DataKind, Support, check_support
from markethub.domain.symbol import Account, Symbol
from markethub.domain.task import MODE, TaskType
from markethub.domain.times import parse_time
from markethub.jobs.task_parameters import check_stocks, check_task

DEEPEST_BOOK = 1000
_LONGEST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Told:
    """One parameter as somebody wrote it."""

    name: str
    value: object
    support: Support

    def refuse(self, wanted: str) -> InputError:
        """The error that says what is wanted instead."""
        return InputError(f"parameter {self.name} {str(self.value)[:60]!r} is not {wanted}")

    def texts(self, wanted: str) -> list[str]:
        """The value as a list of texts with at least one in it."""
        value = self.value
        if not isinstance(value, list | tuple) or not value:
            raise self.refuse(f"a list of {wanted}")
        for text in value:
            if not isinstance(text, str):
                raise self.refuse(f"a list of {wanted}")
        return list(value)


Check = Callable[[Told], None]


def _exchanges(kind: DataKind) -> Check:
    def check(told: Told) -> None:
        _name_parameter(told, lambda: check_support(told.texts("exchange codes"), kind, told.support))

    return check


def _symbols(told: Told) -> None:
    _name_parameter(told, lambda: [Symbol.parse(text) for text in told.texts("symbols such as BTC_USDT.BNC")])


def _accounts(told: Told) -> None:
    _name_parameter(told, lambda: [Account.parse(text) for text in told.texts("accounts such as OKX_MM01")])


def _intervals(told: Told) -> None:
    _name_parameter(told, lambda: [Interval.parse(text) for text in told.texts(", ".join(Interval))])


def _whole(least: int, most: int) -> Check:
    def check(told: Told) -> None:
        value = told.value
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise told.refuse(f"a whole number from {least} to {most}")

    return check


def _flag(told: Told) -> None:
    if not isinstance(told.value, bool):
        raise told.refuse("true or false")


def _text(told: Told) -> None:
    if not isinstance(told.value, str) or not told.value:
        raise told.refuse("a text")


def _date(told: Told) -> None:
    if not isinstance(told.value, str):
        raise told.refuse("a date in quotes such as '2015-01-01'")
    parse_time(told.value, f"parameter {told.name}")


def _one_of(*allowed: str) -> Check:
    def check(told: Told) -> None:
        if told.value not in allowed:
            raise told.refuse(f"one of {', '.join(allowed)}")

    return check


_MARKET = {"symbols": _symbols}
_ACCOUNT = {"accounts": _accounts}
_BOUNDS = {"max_age_days": _whole(1, _LONGEST_DAYS), "max_count": _whole(0, 10**12)}
_EXPORT = {"export_dir": _text, "export_format": _one_of("jsonl", "parquet")}

PARAMETERS: Mapping[str, Mapping[str, Check]] = {
    "sync_kline": {
        "exchanges": _exchanges(DataKind.KLINE),
        **_MARKET,
        "whole_market": _flag,
        "intervals": _intervals,
        MODE: _one_of(*TaskType),
        "start": _date,
        "recheck_bars": _whole(0, 1000),
        "lookback_days": _whole(1, _LONGEST_DAYS),
    },
    "sync_symbol": {"exchanges": _exchanges(DataKind.SYMBOL)},
    "sync_ticker": {"exchanges": _exchanges(DataKind.TICKER), **_MARKET},
    "sync_orderbook": {
        "exchanges": _exchanges(DataKind.ORDERBOOK),
        **_MARKET,
        "limit": _whole(1, DEEPEST_BOOK),
    },
    "sync_balance": {"exchanges": _exchanges(DataKind.BALANCE), **_ACCOUNT},
    **{f"sync_{kind}": {"exchanges": _exchanges(kind), **_ACCOUNT} for kind in LEDGER_KINDS},
    "sync_subscription": {"exchanges": _exchanges(DataKind.TICKER)},
    "monitor_gap": {
        "exchanges": _exchanges(DataKind.KLINE),
        **_MARKET,
        "intervals": _intervals,
        "repair": _flag,
    },
    "cleanup_execution": {**_BOUNDS, **_EXPORT},
    "cleanup_log": {**_BOUNDS, **_EXPORT},
    "cleanup_audit": {**_BOUNDS, **_EXPORT},
}
"""By handler; every parameter may be left out."""

HANDLER_WORDS: Mapping[str, str] = {
    "sync_kline": "fetch the bars after the last stored one and ask the newest stored ones again, or "
    "(`full_sync`) fetch the whole history again; a task of DMS",
    "sync_symbol": "update what exchanges list",
    "sync_ticker": "take a snapshot of tickers",
    "sync_orderbook": "take a snapshot of order books",
    "sync_balance": "take a snapshot of accounts' balances",
    "sync_order": "fetch accounts' orders, those again that may still change",
    "sync_fill": "fetch accounts' fills since what is known to be complete",
    "sync_transfer": "fetch accounts' transfers since what is known to be complete",
    "sync_subscription": "let the rules of subscriptions choose anew",
    "monitor_gap": "find bars that nobody has fetched between a series' first and newest one, and fetch them",
    "cleanup_execution": "delete old executions with their chunks, never one that has not ended",
    "cleanup_log": "delete old log lines",
    "cleanup_audit": "delete old rows of the audit",
}
"""What a job of each handler does; docs/reference/jobs.md is made from it."""

PARAMETER_WORDS: Mapping[str, str] = {
    "exchanges": "codes of exchanges; when left out all that have such data, but not the stock markets `US` "
    "and `HK`, which are worked on where they are named",
    "symbols": "names such as `BTC_USDT.BNC`, or `US.AAPL` where klines are concerned; the subscribed ones "
    "when left out",
    "accounts": "names such as `OKX_MM01`; all that are configured when left out",
    "whole_market": "whether it is about all that exchanges list, not what is subscribed (`incremental` "
    "leaves out what does not trade); of stocks the lines of `symbols_file`, or what the folder has files of",
    "intervals": "bar widths; when left out, `1h` for a sync, and all that are stored for a monitor; stock "
    "markets have no `1h` and `4h`",
    MODE: "`incremental` when left out; `full_sync` asks for the whole history again: bars that the exchange "
    "has amended are updated and holes are filled. Bars of crypto and raw ones of stocks are never deleted; "
    "adjusted series of stocks are replaced as a whole, since each dividend changes all prices before it "
    "(`incremental` does so too when it notices one)",
    "start": "of `full_sync`: the date it begins at, as far as the exchange tells; when left out 2017-01-01 "
    "for crypto, 1962-01-01 for days and 2010-01-01 for minutes of stocks, or the first stored bar if older",
    "recheck_bars": "how many of the newest stored bars are asked again for amendments; 3 when left out",
    "lookback_days": "how far back a series begins that has no bar yet; 30 when left out",
    "limit": "levels a side; 20 when left out",
    "repair": "whether to fetch what is missing, or only to tell; true when left out",
    "max_age_days": "delete what is older than that; with neither of the two, as the default job has them",
    "max_count": "delete what is beyond so many of the newest",
    "export_dir": "an absolute path on the hub's machine: rows are written there before they are deleted",
    "export_format": "`jsonl` or `parquet`",
}
"""What each parameter means, wherever it is taken; as above."""


def check_parameters(handler: str, parameters: Mapping[str, object], support: Support = SUPPORT) -> None:
    """Raise InputError, naming parameter, value and what is allowed, unless ``handler`` can work with them.

    ``support`` tells the exchanges there are. Backfills take no schedule: what they are to fetch is in the
    request.
    """
    known = PARAMETERS.get(handler)
    if known is None:
        raise InputError(f"{handler} cannot be scheduled; what can is {', '.join(PARAMETERS)}")
    for name, value in parameters.items():
        check = known.get(name)
        if check is None:
            raise InputError(
                f"parameter {str(name)[:60]!r} is unknown; {handler} takes {', '.join(known) or 'none'}"
            )
        check(Told(name, value, support))
    _check_owners(parameters)
    if handler == "sync_kline":
        check_task(parameters)
    else:
        check_stocks(parameters)


def _check_owners(parameters: Mapping[str, object]) -> None:
    """Raise InputError where a symbol or an account is on none of the exchanges named beside it."""
    exchanges = parameters.get("exchanges")
    if not isinstance(exchanges, list | tuple):
        return
    owners: list[Symbol | Account] = [Symbol.parse(text) for text in _listed(parameters.get("symbols"))]
    owners += [Account.parse(text) for text in _listed(parameters.get("accounts"))]
    for owner in owners:
        if owner.venue not in exchanges:
            raise InputError(
                f"{owner} is on {owner.venue}, which is not among exchanges {', '.join(map(str, exchanges))}"
            )


def _listed(value: object) -> Iterable[str]:
    return value if isinstance(value, list | tuple) else ()


def _name_parameter(told: Told, check: Callable[[], object]) -> None:
    try:
        check()
    except InputError as error:
        text = str(error)
        named = text if text.startswith("parameter ") else f"parameter {told.name}: {text}"
        raise InputError(named) from error
