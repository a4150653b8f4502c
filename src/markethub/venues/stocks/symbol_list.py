"""Which stocks a market is taken to list: the lines of a file, or what a folder has bars of."""

from pathlib import Path

from markethub.domain.errors import InputError, SymbolNotListedError
from markethub.domain.symbol import Symbol
from markethub.venues.stocks.exchanges import Exchange
from markethub.venues.stocks.folder.files import find_tickers
from markethub.venues.stocks.options import SourceName, StockOptions


def list_symbols(exchange: Exchange, options: StockOptions) -> list[Symbol]:
    """The stocks of a market, ascending, as file or folder name them now; blocks on I/O.

    InputError where the file cannot be read or a line is no ticker, and where there is nothing that lists
    any.
    """
    if options.symbols_file is not None:
        return read_symbols(options.symbols_file, exchange)
    if options.source is SourceName.FOLDER and options.path is not None:
        return sorted(Symbol(exchange.code, ticker) for ticker in find_tickers(options.path, exchange))
    raise InputError(
        f"nobody tells what {exchange.code} lists: {options.source} does not, and no option "
        f"venues.{exchange.code}.symbols_file names a file with one ticker a line; set it, or name symbols "
        "instead of the whole market"
    )


def read_symbols(path: Path, exchange: Exchange) -> list[Symbol]:
    """The stocks of a file with one ticker a line, ascending, each once.

    ``AAPL`` and ``US.AAPL`` are the same; empty lines and what follows a ``#`` do not count. InputError names
    file and line.
    """
    place = f"{exchange.code} option symbols_file {path}"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{place} cannot be read: {error}") from error
    found: set[Symbol] = set()
    for number, line in enumerate(lines, start=1):
        ticker = line.partition("#")[0].strip().removeprefix(f"{exchange.code}.")
        if not ticker:
            continue
        try:
            symbol = Symbol(exchange.code, ticker)
            exchange.check(symbol)
        except (InputError, SymbolNotListedError) as error:
            raise InputError(
                f"{place} line {number}: {ticker[:40]!r} is no ticker of {exchange.code}, which look like "
                f"{exchange.example}"
            ) from error
        found.add(symbol)
    return sorted(found)
