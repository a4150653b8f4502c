"""Instruments and accounts by their MarketHub names."""

import re
from dataclasses import dataclass
from typing import Self

from markethub.domain.errors import InputError
from markethub.domain.interval import Interval

# Asset codes are letters and digits of any script: venues do list non-Latin ones.
_CRYPTO = re.compile(r"(?P<instrument>[^\W_]{1,40}_[^\W_]{1,40})\.(?P<venue>[A-Z]{3})")
_STOCK = re.compile(r"(?P<venue>[A-Z]{2})\.(?P<instrument>[A-Z0-9][A-Z0-9.\-]{0,19})")
_ROOT = re.compile(r"[^\W_]{1,40}_[^\W_]{1,40}")
_ACCOUNT = re.compile(r"(?P<venue>[A-Z]{3})_(?P<name>[A-Za-z0-9][A-Za-z0-9_\-]{0,63})")


_MARKET_CODE_LENGTH = 2


def is_stock_market(venue: str) -> bool:
    """Whether a venue's code is that of a stock market, as ``US`` or ``HK``; those of exchanges are
    longer."""
    return len(venue) == _MARKET_CODE_LENGTH


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """One instrument on one venue; ``parse(str(s)) == s``.

    Crypto is written ``BASE_QUOTE.EXCHANGE`` (``BTC_USDT.BNC``), a stock ``MARKET.TICKER`` (``US.AAPL``).
    """

    venue: str
    instrument: str

    def __post_init__(self) -> None:
        match = _match(str(self))
        if match is None or match["instrument"] != self.instrument:
            raise InputError(_not_a_symbol(str(self)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read either spelling; InputError if it is neither."""
        match = _match(text)
        if match is None:
            raise InputError(_not_a_symbol(text))
        return cls(match["venue"], match["instrument"])

    @property
    def is_stock(self) -> bool:
        return is_stock_market(self.venue)

    @property
    def base(self) -> str:
        """What is traded: ``BTC`` of ``BTC_USDT``, the whole ticker of a stock."""
        return self.instrument.partition("_")[0]

    @property
    def quote(self) -> str:
        """What it is priced in: ``USDT`` of ``BTC_USDT``, empty for a stock."""
        return self.instrument.partition("_")[2]

    def __str__(self) -> str:
        if is_stock_market(self.venue):
            return f"{self.venue}.{self.instrument}"
        return f"{self.instrument}.{self.venue}"


def _match(text: str) -> re.Match[str] | None:
    # fullmatch: `$` would accept a trailing newline
    match = _CRYPTO.fullmatch(text) or _STOCK.fullmatch(text)
    return match if match and text == text.upper() else None


def _not_a_symbol(text: str) -> str:
    return (
        f"symbol {text[:60]!r} is not BASE_QUOTE.EXCHANGE such as BTC_USDT.BNC, "
        "nor MARKET.TICKER such as US.AAPL"
    )


def parse_root_symbol(text: str) -> str:
    """Check a root symbol such as ``BTC_USDT`` and return it; InputError otherwise."""
    if _ROOT.fullmatch(text) is None or text != text.upper():
        raise InputError(f"symbol {text[:60]!r} is not BASE_QUOTE such as BTC_USDT")
    return text


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """A named account on one venue, written ``OKX_MM01``; it never holds keys."""

    venue: str
    name: str

    def __post_init__(self) -> None:
        if _ACCOUNT.fullmatch(str(self)) is None:
            raise InputError(_not_an_account(str(self)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``OKX_MM01``: the venue stands before the first underscore."""
        match = _ACCOUNT.fullmatch(text)
        if match is None:
            raise InputError(_not_an_account(text))
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"{self.venue}_{self.name}"


def _not_an_account(text: str) -> str:
    return f"account {text[:80]!r} is not EXCHANGE_NAME such as OKX_MM01"


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """The key of one run of bars: a symbol at one interval, written ``BTC_USDT.BNC 1h``."""

    symbol: Symbol
    interval: Interval

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``BTC_USDT.BNC 1h``; InputError otherwise."""
        symbol, _, interval = text.partition(" ")
        return cls(Symbol.parse(symbol), Interval.parse(interval))

    def __str__(self) -> str:
        return f"{self.symbol} {self.interval}"
