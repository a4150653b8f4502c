"""``markethub read``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import sys
import typing
from pathlib import Path
from typing import Annotated

import typer

from markethub.cli.bar_output import choose_format, write_document
from markethub.cli.connection import connect
from markethub.cli.options import ConfigFile, DataDir, EndTime, HubUrl, StartTime, check_symbol
from markethub.cli.output import Cell, is_terminal, note, print_table
from markethub.domain.interval import Interval
from markethub.domain.times import format_time, to_ms

if typing.TYPE_CHECKING:
    import pyarrow as pa

_SCREEN_ROWS = 50


def read(
    *,
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL...", parser=check_symbol, help="US.AAPL, BTC_USDT.BNC ...")
    ],
    interval: Annotated[Interval, typer.Option(help="The bars' width.")] = Interval.D1,
    start: StartTime = None,
    end: EndTime = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="table|csv|json|arrow|parquet", help="[default: by --output, else table]"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout; it is replaced.")
    ] = None,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print the stored bars of many symbols at once, each symbol's oldest first.

    The hub answers from its own store, on a slave as on a master. On a terminal at most 50 bars are shown.
    """
    from markethub.cli.bar_formats import BarFormat, encode_bars

    chosen = choose_format(format_name, output)
    with connect(url, config, data_dir) as hub:
        bars = hub.read_bars(symbols, interval.value, start, end)
    if chosen is not BarFormat.TABLE:
        write_document(encode_bars(bars, chosen, time_column="time"), len(bars), output)
        return
    if is_terminal(sys.stdout) and len(bars) > _SCREEN_ROWS:
        note(f"the first {_SCREEN_ROWS} of {len(bars)} bars; for all use --output FILE")
        bars = bars.slice(0, _SCREEN_ROWS)
    print_table(bars.column_names, _describe(bars))


def _describe(bars: "pa.Table") -> list[list[Cell]]:
    return [
        [format_time(to_ms(value)) if name == "time" else value for name, value in row.items()]
        for row in bars.to_pylist()
    ]
