"""Names of instruments and accounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval
from markethub.domain.symbol import Account, Series, Symbol, parse_root_symbol

assets = st.from_regex(r"[A-Z0-9]{1,10}", fullmatch=True)
crypto = st.builds(
    lambda base, quote, venue: Symbol(venue, f"{base}_{quote}"),
    assets,
    assets,
    st.sampled_from(["BNC", "OKX", "GIO"]),
)
stocks = st.builds(
    Symbol, st.sampled_from(["US", "HK"]), st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,8}", fullmatch=True)
)
symbols = crypto | stocks


@given(symbols)
def test_symbol_survives_its_text(symbol: Symbol) -> None:
    assert Symbol.parse(str(symbol)) == symbol


@given(symbols, st.sampled_from(Interval))
def test_series_survives_its_text(symbol: Symbol, interval: Interval) -> None:
    series = Series(symbol, interval)
    assert Series.parse(str(series)) == series


@given(st.text(max_size=30))
def test_any_text_is_a_symbol_or_an_input_error(text: str) -> None:
    try:
        symbol = Symbol.parse(text)
    except InputError as error:
        assert "BTC_USDT.BNC" in str(error)
    else:
        assert str(symbol) == text


def test_parts_of_a_crypto_symbol() -> None:
    symbol = Symbol.parse("BTC_USDT.BNC")
    assert (symbol.venue, symbol.base, symbol.quote, symbol.is_stock) == ("BNC", "BTC", "USDT", False)


def test_parts_of_a_stock() -> None:
    symbol = Symbol.parse("HK.00700")
    assert (symbol.venue, symbol.base, symbol.quote, symbol.is_stock) == ("HK", "00700", "", True)


def test_assets_of_other_scripts_are_symbols() -> None:
    assert Symbol.parse("币安人生_USDT.BNC").base == "币安人生"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BTCUSDT",
        "BTC_USDT",
        "BTC_USDT.bnc",
        "btc_USDT.BNC",
        "BTC_USDT.BNC\n",
        "BTC_USDT_X.BNC",
        "_USDT.BNC",
        "BTC_.BNC",
        "BTC_USDT.BNCX",
        "US.",
        "US.aapl",
        "../ETC_PASSWD.BNC",
        "BTC_USDT.BNC 1h",
        "A" * 41 + "_USDT.BNC",
    ],
)
def test_what_is_no_symbol(text: str) -> None:
    with pytest.raises(InputError, match="symbol"):
        Symbol.parse(text)


def test_a_symbol_cannot_be_built_wrong() -> None:
    with pytest.raises(InputError):
        Symbol("BNC", "BTCUSDT")
    with pytest.raises(InputError):
        Symbol("OKX", "BTC_USDT.BNC")


def test_root_symbols() -> None:
    assert parse_root_symbol("BTC_USDT") == "BTC_USDT"
    for text in ("BTC_USDT.BNC", "btc_usdt", "BTCUSDT"):
        with pytest.raises(InputError):
            parse_root_symbol(text)


@given(
    st.sampled_from(["BNC", "OKX", "GIO"]), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,20}", fullmatch=True)
)
def test_account_survives_its_text(venue: str, name: str) -> None:
    account = Account(venue, name)
    assert Account.parse(str(account)) == account


def test_the_exchange_stands_before_the_first_underscore() -> None:
    assert Account.parse("OKX_MM_01") == Account("OKX", "MM_01")


@pytest.mark.parametrize("text", ["", "OKX", "OKX_", "okx_MM01", "OKX_MM01\n", "OKX_M M", "OKXX_MM01"])
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(InputError, match="account"):
        Account.parse(text)
