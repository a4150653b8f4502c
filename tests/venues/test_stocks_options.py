"""What the configuration may say about the stock markets."""

from pathlib import Path

import pytest

from markethub.app import load_venues
from markethub.domain.errors import InputError
from markethub.domain.support import DataKind
from markethub.domain.symbol import Account
from markethub.ports.keys import ApiKey
from markethub.venues.stocks import create_hk_venue, create_us_venue
from markethub.venues.stocks.options import SourceName, StockOptions
from markethub.venues.stocks.source import Adjustment


def test_the_defaults() -> None:
    assert StockOptions.parse({}, "US") == StockOptions()
    options = StockOptions()
    assert (options.source, options.adjustment) == (SourceName.YAHOO, Adjustment.RAW)
    assert (options.base_url, options.requests_per_10_s) == ("https://query1.finance.yahoo.com", 5)


def test_every_option_is_read() -> None:
    options = StockOptions.parse(
        {
            "source": "folder",
            "adjustment": "adjusted",
            "base_url": "http://127.0.0.1:9/yahoo/",
            "requests_per_10_s": "7",
            "user_agent": "Mozilla/5.0",
            "delay_s": "60",
            "path": "/data/stocks",
            "symbols_file": "/data/us.txt",
            "host": "10.0.0.1",
            "port": "22222",
            "request_timeout_s": "5",
            "connections": "3",
            "quick_retries": "1",
            "patience_s": "9",
        },
        "US",
    )
    assert options == StockOptions(
        source=SourceName.FOLDER,
        adjustment=Adjustment.ADJUSTED,
        base_url="http://127.0.0.1:9/yahoo",
        requests_per_10_s=7,
        user_agent="Mozilla/5.0",
        delay_s=60.0,
        path=Path("/data/stocks"),
        symbols_file=Path("/data/us.txt"),
        host="10.0.0.1",
        port=22222,
        request_timeout_s=5.0,
        connections=3,
        quick_retries=1,
        patience_s=9.0,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sauce": "yahoo"}, "US has no option 'sauce'; allowed are source, adjustment"),
        ({"source": "google"}, "US option source 'google' is not one of yahoo, folder, futu"),
        ({"adjustment": "qfq"}, "US option adjustment 'qfq' is not one of raw, adjusted"),
        ({"source": "folder"}, "option path must name the folder"),
        ({"requests_per_10_s": "0.5"}, "requests_per_10_s '0.5' is not a whole number"),
        ({"user_agent": "a\r\nHost: b"}, "user_agent is not printable ASCII"),
        ({"base_url": "ftp://yahoo"}, "base_url is not a URL"),
        ({"port": "0"}, "port '0' is not a whole number from 1"),
    ],
)
def test_what_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        create_us_venue(options)
    assert message in str(caught.value)


async def test_both_markets_are_found_by_their_entry_points(tmp_path: Path) -> None:
    venues = load_venues({"HK": {"source": "folder", "path": str(tmp_path), "adjustment": "adjusted"}})
    us, hk = venues["US"], venues["HK"]
    assert (us.code, us.name, us.kinds) == ("US", "US stocks", frozenset({DataKind.KLINE}))
    assert (hk.code, hk.name, hk.kinds) == ("HK", "Hong Kong stocks", frozenset({DataKind.KLINE}))
    assert (us.klines.label, hk.klines.label) == ("rest yahoo raw", "folder adjusted")
    assert (us.kline_archive, us.market) == (None, None)
    assert [limit.name for limit in us.limits()] == ["US yahoo chart"]
    assert list(hk.limits()) == []
    for venue in venues.values():
        await venue.close()


def test_there_are_no_accounts() -> None:
    with pytest.raises(InputError, match="no account data of HK"):
        create_hk_venue({}).account(Account("OKX", "MM01"), ApiKey("k", "s"))


@pytest.mark.parametrize(
    ("options", "label"),
    [({}, "rest yahoo raw"), ({"source": "futu", "adjustment": "adjusted"}, "rest futu adjusted")],
)
def test_the_label_tells_source_and_adjustment(options: dict[str, str], label: str) -> None:
    assert create_us_venue(options).klines.label == label
