"""``markethub klines``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
import typing
from pathlib import Path
from typing import Annotated

import typer

from markethub.cli.bar_output import choose_format, write_document
from markethub.cli.connection import connect, read_settings
from markethub.cli.options import (
    AsJson,
    ConfigFile,
    DataDir,
    EndTime,
    HubUrl,
    StartTime,
    check_symbol,
)
from markethub.cli.output import Cell, is_terminal, note, print_json, print_table
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Series, Symbol
from markethub.domain.times import format_time, parse_time, to_ms

if typing.TYPE_CHECKING:
    import pyarrow as pa

    from markethub.cli.bar_formats import BarFormat

app = typer.Typer(help="Read what is stored.", no_args_is_help=True)

SymbolArgument = Annotated[str, typer.Argument(metavar="SYMBOL", parser=check_symbol, help="BTC_USDT.BNC")]
IntervalArgument = Annotated[Interval, typer.Argument(metavar="INTERVAL", help=", ".join(Interval))]

_SCREEN_ROWS = 50
SCREEN_COLUMNS = ("open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades")
_BEGINNING = "0001-01-01"
_END = "9999-12-31T23:59:59.999"


@app.command("read")
def read_klines(
    *,
    symbol: SymbolArgument,
    interval: IntervalArgument,
    start: StartTime = None,
    end: EndTime = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="The first bars from --start; without --start the newest ones."),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="table|csv|json|arrow|parquet", help="[default: by --output, else table]"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout; it is replaced.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Open the data folder here, while no hub runs on it.")
    ] = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print stored bars, oldest first.

    On a terminal a table shows at most 50 bars unless --limit says otherwise.
    """
    from markethub.cli.bar_formats import BarFormat

    if local and url is not None:
        raise typer.BadParameter("--local reads a folder, --url asks a hub: give one of them")
    chosen = choose_format(format_name, output)
    for_screen = chosen is BarFormat.TABLE and output is None and is_terminal(sys.stdout)
    asked = _SCREEN_ROWS + 1 if for_screen and limit is None else limit
    series = Series(Symbol.parse(symbol), interval)
    if local:
        bars = _read_local(read_settings(config, data_dir).data_dir, series, start, end, asked)
    else:
        with connect(url, config, data_dir) as hub:
            bars = hub.klines(symbol, interval.value, start, end, limit=asked)
    if for_screen and limit is None and len(bars) > _SCREEN_ROWS:
        bars = bars.slice(0, _SCREEN_ROWS) if start is not None else bars.slice(1)
        which = "first" if start is not None else "newest"
        note(f"the {which} {_SCREEN_ROWS} bars; for more use --limit, or --output FILE")
    _write_bars(bars, chosen, output)


@app.command("holes")
def find_holes(
    *,
    symbol: SymbolArgument,
    interval: IntervalArgument,
    start: StartTime = None,
    end: EndTime = None,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List the bars that are missing between the first stored one and now, and why.

    not_fetched: nobody asked the exchange yet. rejected: its bar made no sense and was kept out.
    venue_gap: it has no such bars. before_first_bar: its data begins later.
    """
    with connect(url, config, data_dir) as hub:
        page = hub.holes(symbol, interval.value, start, end)
    if as_json:
        print_json(page)
        return
    rows: list[list[Cell]] = [
        [hole["start"], hole["end"], hole["bars"], hole["reason"]] for hole in page["data"]
    ]
    print_table(("start", "end", "bars", "reason"), rows)


@app.command("series")
def list_series(
    *,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List every stored series with its size and its first and last bar."""
    with connect(url, config, data_dir) as hub:
        page = hub.series()
    if as_json:
        print_json(page)
        return
    columns = ("symbol", "interval", "rows", "first", "last", "revision")
    rows: list[list[Cell]] = [
        [
            row["symbol"],
            row["interval"],
            row["rows"],
            row["first_open_time"],
            row["last_open_time"],
            row["revision"],
        ]
        for row in page["data"]
    ]
    print_table(columns, rows)


def _read_local(
    data_dir: Path, series: Series, start: str | None, end: str | None, limit: int | None
) -> "pa.Table":
    from markethub.app import open_store

    span = Span(parse_time(start or _BEGINNING, "start"), parse_time(end or _END, "end"))
    store = open_store(data_dir)
    try:
        return store.read(series, span, limit=limit, newest=start is None)
    finally:
        store.close()


def _write_bars(bars: "pa.Table", chosen: "BarFormat", output: Path | None) -> None:
    from markethub.cli.bar_formats import BarFormat, encode_bars

    if chosen is BarFormat.TABLE:
        print_table(SCREEN_COLUMNS, bar_rows(bars))
        return
    write_document(encode_bars(bars, chosen), len(bars), output)


def bar_rows(bars: "pa.Table") -> list[list[Cell]]:
    """The columns of a bar that fit a screen, times as text."""
    rows = bars.select(list(SCREEN_COLUMNS)).to_pylist()
    return [
        [format_time(to_ms(row["open_time"])), *(row[name] for name in SCREEN_COLUMNS[1:])] for row in rows
    ]
