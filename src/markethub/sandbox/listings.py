"""Which instruments the sandbox lists, since when, and how their made-up bars behave."""

from dataclasses import dataclass
from types import MappingProxyType

from markethub.domain.times import parse_time
from markethub.sandbox.bars import E8


@dataclass(frozen=True, slots=True)
class Listing:
    """One spot pair. There is no bar before ``listed_ms``, nor from ``delisted_ms`` on.

    ``tick_e8`` and ``lot_e8`` are the steps of price and quantity in units of 10^-8. ``price`` is what
    made-up prices wander around, ``turnover`` a usual minute's trading, both in the quote currency;
    ``volatility`` is 1 for a usual coin.
    """

    base: str
    quote: str
    listed_ms: int
    delisted_ms: int | None
    tick_e8: int
    lot_e8: int
    price: float
    turnover: float
    volatility: float = 1.0

    @property
    def root(self) -> str:
        """``BTC_USDT``: the name that does not depend on a venue's spelling."""
        return f"{self.base}_{self.quote}"


# base, quote, listed, price tick, quantity step, usual price, usual turnover of a minute
_LISTED = (
    ("BTC", "USDT", "2017-08-17T04:00", "0.01", "0.00001", 43_000, 900_000),
    ("ETH", "USDT", "2017-08-17T04:00", "0.01", "0.0001", 2_400, 500_000),
    ("BNB", "USDT", "2017-11-06T03:00", "0.01", "0.001", 310, 150_000),
    ("LTC", "USDT", "2017-12-13T03:00", "0.01", "0.001", 85, 40_000),
    ("NEO", "USDT", "2017-11-20T03:00", "0.01", "0.01", 14, 8_000),
    ("ADA", "USDT", "2018-04-17T04:00", "0.0001", "0.1", 0.52, 60_000),
    ("XRP", "USDT", "2018-05-04T08:00", "0.0001", "1", 0.61, 120_000),
    ("EOS", "USDT", "2018-05-28T06:00", "0.0001", "0.1", 0.9, 6_000),
    ("XLM", "USDT", "2018-05-31T06:00", "0.0001", "1", 0.12, 15_000),
    ("TRX", "USDT", "2018-06-11T08:00", "0.0001", "0.1", 0.11, 40_000),
    ("ETC", "USDT", "2018-06-12T09:00", "0.01", "0.01", 24, 12_000),
    ("LINK", "USDT", "2019-01-16T10:00", "0.01", "0.01", 14, 45_000),
    ("BAT", "USDT", "2019-03-11T08:00", "0.0001", "0.1", 0.24, 4_000),
    ("FET", "USDT", "2019-02-28T10:00", "0.001", "0.1", 0.9, 14_000),
    ("XMR", "USDT", "2019-03-15T04:00", "0.01", "0.001", 155, 5_000),
    ("ZEC", "USDT", "2019-03-21T04:00", "0.01", "0.001", 30, 7_000),
    ("ATOM", "USDT", "2019-04-29T04:00", "0.001", "0.01", 9, 18_000),
    ("DOGE", "USDT", "2019-07-05T12:00", "0.00001", "1", 0.11, 130_000),
    ("ALGO", "USDT", "2019-06-22T00:00", "0.0001", "1", 0.19, 9_000),
    ("XTZ", "USDT", "2019-09-24T10:00", "0.001", "0.1", 0.95, 3_000),
    ("BCH", "USDT", "2019-11-28T10:00", "0.1", "0.001", 320, 22_000),
    ("HBAR", "USDT", "2019-09-29T04:00", "0.0001", "1", 0.09, 15_000),
    ("SOL", "USDT", "2020-08-11T06:00", "0.01", "0.001", 120, 350_000),
    ("CRV", "USDT", "2020-08-15T03:00", "0.001", "0.1", 0.6, 9_000),
    ("DOT", "USDT", "2020-08-18T23:00", "0.001", "0.01", 7, 25_000),
    ("UNI", "USDT", "2020-09-17T03:00", "0.001", "0.01", 8, 20_000),
    ("AVAX", "USDT", "2020-09-22T06:30", "0.01", "0.01", 34, 50_000),
    ("NEAR", "USDT", "2020-10-14T05:00", "0.001", "0.1", 4, 25_000),
    ("AAVE", "USDT", "2020-10-15T03:00", "0.01", "0.001", 110, 20_000),
    ("FIL", "USDT", "2020-10-15T08:00", "0.001", "0.01", 5.5, 20_000),
    ("1INCH", "USDT", "2020-12-25T05:00", "0.0001", "0.1", 0.4, 3_000),
    ("ICP", "USDT", "2021-05-11T01:00", "0.001", "0.01", 11, 15_000),
    ("GALA", "USDT", "2021-09-13T06:00", "0.00001", "1", 0.03, 15_000),
    ("OP", "USDT", "2022-06-01T09:00", "0.001", "0.01", 2.2, 18_000),
    ("APT", "USDT", "2022-10-19T01:00", "0.01", "0.01", 9, 20_000),
    ("ARB", "USDT", "2023-03-23T17:00", "0.0001", "0.1", 1.1, 25_000),
    ("SUI", "USDT", "2023-05-03T12:00", "0.0001", "0.1", 1.5, 60_000),
    ("TIA", "USDT", "2023-10-31T15:00", "0.001", "0.01", 9, 18_000),
    ("ENA", "USDT", "2024-04-02T08:00", "0.0001", "0.01", 0.6, 20_000),
    ("币安人生", "USDT", "2025-10-20T10:00", "0.0001", "1", 0.2, 5_000),
    ("ETH", "BTC", "2017-07-14T04:00", "0.00001", "0.0001", 0.055, 1.2),
    ("LTC", "BTC", "2017-07-14T04:00", "0.000001", "0.001", 0.002, 0.15),
    ("BNB", "BTC", "2017-07-14T04:00", "0.000001", "0.001", 0.007, 0.6),
    ("ADA", "BTC", "2017-11-30T10:00", "0.00000001", "0.1", 0.0000125, 0.2),
    ("SOL", "BTC", "2020-08-11T06:00", "0.0000001", "0.001", 0.0027, 0.5),
    ("BNB", "ETH", "2017-07-14T04:00", "0.0001", "0.001", 0.13, 1.5),
)
# Pairs that stopped trading: the venue keeps showing them with status BREAK and still answers their klines.
_DELISTED = (
    ("BTC", "BUSD", "2019-09-19T10:00", "0.01", "0.00001", 27_000, 500_000, "2023-12-15T06:00"),
    ("BCC", "USDT", "2017-11-20T03:00", "0.01", "0.00001", 900, 20_000, "2018-11-15T15:30"),
    ("WAVES", "USDT", "2019-01-21T10:00", "0.0001", "0.01", 2.4, 6_000, "2024-06-17T03:00"),
)


def _step_e8(text: str) -> int:
    whole, _, decimals = text.partition(".")
    return int(whole) * E8 + int(decimals.ljust(8, "0"))


def _read(row: tuple[str, str, str, str, str, float, float], delisted: str | None = None) -> Listing:
    base, quote, listed, tick, lot, price, turnover = row
    return Listing(
        base,
        quote,
        parse_time(listed),
        None if delisted is None else parse_time(delisted),
        _step_e8(tick),
        _step_e8(lot),
        price,
        turnover,
    )


def _generate(number: int) -> Listing:
    return Listing(
        f"SIM{number:04d}",
        "USDT",
        parse_time("2020-01-01"),
        None,
        tick_e8=E8 // 10_000,
        lot_e8=E8 // 100,
        price=1.0 + number % 97,
        turnover=10_000.0,
    )


class SymbolCatalog:
    """The listings by root symbol (``BTC_USDT``), in the order a venue would show them."""

    def __init__(self, generated_symbols: int = 0) -> None:
        stable = Listing(
            "USDC",
            "USDT",
            parse_time("2018-12-15T03:00"),
            None,
            E8 // 10_000,
            E8,
            1.0,
            60_000,
            volatility=0.005,
        )
        listings = [_read(row) for row in _LISTED]
        listings.append(stable)
        listings += [_read(row[:7], row[7]) for row in _DELISTED]
        listings += [_generate(number) for number in range(1, generated_symbols + 1)]
        self.by_root = MappingProxyType({listing.root: listing for listing in listings})
