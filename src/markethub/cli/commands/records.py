"""``markethub records``."""

import typing
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_account, check_time
from markethub.cli.output import Cell, note, print_json, print_table

if typing.TYPE_CHECKING:
    from markethub.client.records import RecordFilters


class Table(StrEnum):
    """What can be read."""

    SYMBOLS = "symbols"
    TICKERS = "tickers"
    ORDERBOOKS = "orderbooks"
    BALANCES = "balances"
    ORDERS = "orders"
    FILLS = "fills"
    TRANSFERS = "transfers"
    REJECTS = "rejects"


_SNAPSHOTS = (Table.TICKERS, Table.ORDERBOOKS, Table.BALANCES)


def records(
    *,
    table: Annotated[Table, typer.Argument(metavar="TABLE", help=", ".join(Table))],
    exchange: Annotated[str | None, typer.Option(metavar="EXCHANGE", help="Only of, such as BNC.")] = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYMBOL", help="Only of, such as BTC_USDT.BNC (orders, fills: BTC_USDT); may be repeated."
        ),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACCOUNT", parser=check_account, help="Only of, such as OKX_MM01; may be repeated."
        ),
    ] = None,
    asset: Annotated[
        list[str] | None, typer.Option(metavar="ASSET", help="Only of, such as USDT; may be repeated.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="First time, ISO 8601, UTC.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="Times before it, ISO 8601, UTC.")
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Of listings every version, of snapshots all; else only the newest state."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the newest ones.")] = 50,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print stored listings, tickers, books, balances, orders, fills, transfers or rejects, newest first.

    For files use the API or the Python client: they give CSV, Arrow and Parquet.
    """
    filters: RecordFilters = {
        "exchange": exchange,
        "symbol": symbol or None,
        "account": account or None,
        "asset": asset or None,
        "start": start,
        "end": end,
        "limit": limit,
        "order_desc": True,
    }
    if table is Table.SYMBOLS:
        filters["current"] = not history
    elif table in _SNAPSHOTS:
        filters["latest"] = not history
    with connect(url, config, data_dir) as hub:
        page = getattr(hub, table)(as_="dict", **filters)
    if as_json:
        print_json(page)
        return
    earlier = page["pagination"]["total"] - len(page["data"])
    if earlier > 0:
        note(f"{earlier} more rows are not shown; see --limit")
    if not page["data"]:
        note("no such rows are stored")
        return
    columns = list(page["data"][0])
    print_table(columns, [[_cell(row[name]) for name in columns] for row in page["data"]])


def _cell(value: object) -> Cell:
    match value:
        case None | str() | int() | float():
            return value
    return orjson.dumps(value).decode()
