from typing import Any

import pytest

from markethub.control.jobs import handler_name
from markethub.domain.errors import InputError
from markethub.domain.support import SUPPORT, DataKind
from markethub.domain.symbol import Account
from markethub.jobs.default_jobs import default_jobs
from markethub.jobs.job_parameters import PARAMETERS, check_parameters

WITH_STOCKS = SUPPORT | dict.fromkeys(("US", "HK"), frozenset({DataKind.KLINE}))
ACCOUNTS = [Account.parse(text) for text in ("BNC_MM01", "OKX_MM01", "OKX_MM02")]


@pytest.mark.parametrize(
    ("handler", "parameters"),
    [
        ("sync_kline", {}),
        ("sync_kline", {"exchanges": ["BNC", "OKX", "GIO"], "intervals": ["1h", "1d"]}),
        ("sync_kline", {"symbols": ["BTC_USDT.BNC", "OKB_USDT.OKX"], "recheck_bars": 0, "lookback_days": 1}),
        ("sync_orderbook", {"symbols": ["BTC_USDT.OKX"], "exchanges": ["OKX"], "limit": 1000}),
        ("sync_kline", {"symbols": ["BTC_USDT.BNC", "US.AAPL"], "intervals": ["1m", "1d"]}),
        ("sync_kline", {"exchanges": ["US", "BNC"], "whole_market": True, "intervals": ["1d"]}),
        ("sync_kline", {"exchanges": ["HK"], "symbols": ["HK.00700"], "intervals": ["30m"]}),
        ("sync_kline", {"mode": "full_sync", "start": "2015-01-01"}),
        ("sync_kline", {"mode": "full_sync", "whole_market": True, "start": "2015-01-01T00:00:00Z"}),
        ("sync_kline", {"mode": "incremental", "whole_market": False, "symbols": ["BTC_USDT.BNC"]}),
        ("sync_balance", {"accounts": ["OKX_MM01"], "exchanges": ["OKX"]}),
        ("sync_fill", {"exchanges": ["OKX"]}),
        ("monitor_gap", {"exchanges": ["US"], "symbols": ["US.AAPL"]}),
        ("monitor_gap", {"repair": False, "intervals": ["1m"]}),
    ],
)
def test_what_a_job_may_be_told(handler: str, parameters: dict[str, Any]) -> None:
    check_parameters(handler, parameters, WITH_STOCKS)


@pytest.mark.parametrize(
    ("handler", "parameters", "message"),
    [
        ("backfill_kline", {}, "backfill_kline cannot be scheduled; what can is sync_kline, sync_symbol"),
        ("sync_kline", {"interval": ["1h"]}, "parameter 'interval' is unknown; sync_kline takes exchanges"),
        ("sync_kline", {"intervals": ["2h"]}, "parameter intervals: interval '2h' is not one of 1m, 5m"),
        ("sync_kline", {"intervals": "1h"}, "parameter intervals '1h' is not a list of 1m, 5m"),
        ("sync_kline", {"intervals": []}, r"parameter intervals '\[\]' is not a list"),
        ("sync_kline", {"intervals": [1]}, r"parameter intervals '\[1\]' is not a list"),
        (
            "sync_kline",
            {"exchanges": ["FTX"]},
            "parameter exchanges: exchange 'FTX' is unknown; known are BNC",
        ),
        ("sync_fill", {"exchanges": ["BNC"]}, "exchange BNC does not support fill; supported are OKX"),
        ("sync_kline", {"symbols": ["BTCUSDT"]}, "parameter symbols: symbol 'BTCUSDT' is not BASE_QUOTE"),
        ("sync_kline", {"recheck_bars": -1}, "recheck_bars '-1' is not a whole number from 0 to 1000"),
        ("sync_kline", {"recheck_bars": True}, "recheck_bars 'True' is not a whole number"),
        ("sync_kline", {"lookback_days": 1.5}, "lookback_days '1.5' is not a whole number from 1"),
        ("sync_orderbook", {"limit": 1001}, "limit '1001' is not a whole number from 1 to 1000"),
        ("sync_balance", {"accounts": ["MM01"]}, "parameter accounts: account 'MM01' is not EXCHANGE_NAME"),
        ("monitor_gap", {"repair": "yes"}, "parameter repair 'yes' is not true or false"),
        (
            "sync_kline",
            {"exchanges": ["OKX"], "symbols": ["BTC_USDT.BNC"]},
            "BTC_USDT.BNC is on BNC, which is not among exchanges OKX",
        ),
        ("sync_kline", {"mode": "all"}, "parameter mode 'all' is not one of incremental, full_sync"),
        ("sync_kline", {"mode": ["full_sync"]}, r"parameter mode .* is not one of incremental, full_sync"),
        ("sync_kline", {"whole_market": "yes"}, "parameter whole_market 'yes' is not true or false"),
        (
            "sync_kline",
            {"whole_market": True, "symbols": ["BTC_USDT.BNC"]},
            "whole_market takes everything that is listed: leave out symbols",
        ),
        ("sync_kline", {"start": "2015-01-01"}, "start belongs to mode full_sync, and this is incremental"),
        (
            "sync_kline",
            {"mode": "full_sync", "start": 2015},
            "parameter start '2015' is not a date in quotes such as '2015-01-01'",
        ),
        ("sync_kline", {"mode": "full_sync", "start": "2015"}, "parameter start '2015' is not an ISO 8601"),
        (
            "sync_kline",
            {"mode": "full_sync", "recheck_bars": 3},
            "recheck_bars belongs to mode incremental, and this is full_sync",
        ),
        (
            "sync_kline",
            {"mode": "full_sync", "lookback_days": 3},
            "lookback_days belongs to mode incremental",
        ),
        (
            "sync_kline",
            {"exchanges": ["US"], "intervals": ["1d"]},
            "no stock of US is ever subscribed; name symbols on it, or set whole_market = true",
        ),
        (
            "sync_kline",
            {"exchanges": ["US", "HK"], "symbols": ["US.AAPL"], "intervals": ["1d"]},
            "no stock of HK is ever subscribed",
        ),
        (
            "sync_kline",
            {"symbols": ["US.AAPL"], "intervals": ["1d", "1h"]},
            "parameter intervals: US.AAPL has no 1h bars; of stocks there are 1m, 5m, 15m, 30m, 1d",
        ),
        (
            "sync_kline",
            {"exchanges": ["HK"], "whole_market": True, "intervals": ["4h"]},
            "parameter intervals: HK has no 4h bars",
        ),
        (
            "sync_kline",
            {"symbols": ["US.AAPL"]},
            "US.AAPL has no 1h bars, which it means when left out",
        ),
        ("monitor_gap", {"exchanges": ["US"]}, "no stock of US is ever subscribed; name symbols on it$"),
        ("sync_ticker", {"exchanges": ["US"]}, "exchange US does not support ticker"),
        (
            "sync_balance",
            {"exchanges": ["OKX"], "accounts": ["BNC_MM01"]},
            "BNC_MM01 is on BNC, which is not among exchanges OKX",
        ),
    ],
)
def test_what_is_refused(handler: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_parameters(handler, parameters, WITH_STOCKS)


def test_exchanges_of_other_adapters_are_known_by_the_support_given() -> None:
    support = {**SUPPORT, "XMP": frozenset({DataKind.KLINE})}
    check_parameters("sync_kline", {"exchanges": ["XMP"]}, support)
    with pytest.raises(InputError, match="does not support ticker"):
        check_parameters("sync_ticker", {"exchanges": ["XMP"]}, support)


def test_default_jobs_are_what_the_contract_shows() -> None:
    jobs = {spec.name: spec for spec in default_jobs([])}
    hourly, listings = jobs["sync_klines_1h"], jobs["sync_symbols_all"]
    assert (hourly.job_type, hourly.job_category, hourly.schedule_type) == ("kline", "sync", "cron")
    assert (hourly.schedule, hourly.timeout_seconds, hourly.max_instances) == ("0 * * * *", 300, 1)
    assert hourly.description == "Sync 1-hour klines from all exchanges"
    assert hourly.parameters == {"intervals": ["1h"], "exchanges": ["BNC", "OKX", "GIO"]}
    assert (listings.schedule, listings.timeout_seconds) == ("0 0 * * *", 600)
    assert listings.description == "Sync trading symbols from all exchanges"
    assert listings.parameters == {"exchanges": ["BNC", "OKX", "GIO"]}
    assert {"sync_klines_1d", "sync_tickers_all", "monitor_gaps"} <= set(jobs)


def test_every_default_job_may_be_told_what_it_is_told() -> None:
    for spec in default_jobs(ACCOUNTS):
        check_parameters(handler_name(spec.job_category, spec.job_type), spec.parameters)


def test_jobs_of_accounts_are_there_where_an_account_is() -> None:
    ledgers = {"sync_orders_all", "sync_fills_all", "sync_transfers_all"}
    assert not (ledgers | {"sync_balances_all"}) & {spec.name for spec in default_jobs([])}
    jobs = {spec.name: spec for spec in default_jobs(ACCOUNTS)}
    assert jobs["sync_balances_all"].parameters == {"exchanges": ["BNC", "OKX"]}
    assert jobs["sync_fills_all"].parameters == {"exchanges": ["OKX"]}
    only_binance = {spec.name for spec in default_jobs(ACCOUNTS[:1])}
    assert "sync_balances_all" in only_binance
    assert not ledgers & only_binance


def test_every_sync_has_its_parameters() -> None:
    assert {f"sync_{kind}" for kind in DataKind} <= set(PARAMETERS)
