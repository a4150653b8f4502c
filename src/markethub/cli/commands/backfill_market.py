"""``markethub backfill`` of what exchanges show everyone."""

from typing import Annotated

import typer

from markethub.cli.options import (
    AsJson,
    ConfigFile,
    DataDir,
    DryRun,
    HubUrl,
    Mode,
    NoWait,
    Priority,
    SomeExchanges,
    SomeSymbols,
    check_time,
)
from markethub.cli.queued import name_extras, run_backfill
from markethub.domain.backfill_mode import BackfillMode
from markethub.domain.interval import Interval


def _require(symbol: list[str] | None, exchange: list[str] | None) -> None:
    if not symbol and not exchange:
        raise typer.BadParameter("name at least one --symbol or --exchange")


def backfill_klines(
    *,
    interval: Annotated[list[Interval], typer.Option(help="Bar width; may be repeated.")],
    start: Annotated[
        str, typer.Option(metavar="TIME", parser=check_time, help="First open time, ISO 8601, UTC.")
    ],
    symbol: SomeSymbols = None,
    exchange: SomeExchanges = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", parser=check_time, help="Bars that open before it [default: now]"),
    ] = None,
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Fetch the bars of a time range that are not stored yet.

    Name symbols, exchanges, or both (then every symbol must be on one of them). Ends with 0 when everything
    is stored, with 1 and the reason when something failed; the rest is stored then, and running it again
    fetches only what is missing.
    """
    _require(symbol, exchange)
    run_backfill(
        lambda hub: hub.backfill_klines(
            symbol or None,
            exchange or None,
            intervals=[width.value for width in interval],
            start_time=start,
            end_time=end,
            **name_extras(mode, priority, dry_run),
        ),
        no_wait=no_wait,
        as_json=as_json,
        url=url,
        config=config,
        data_dir=data_dir,
    )


def backfill_symbols(
    *,
    exchange: Annotated[
        list[str], typer.Option(metavar="EXCHANGE", help="Whose listing, such as BNC; may be repeated.")
    ],
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Update what exchanges list: new instruments, changed ones, and those that are gone."""
    run_backfill(
        lambda hub: hub.backfill_symbols(exchange, **name_extras(mode, priority, dry_run)),
        no_wait=no_wait,
        as_json=as_json,
        url=url,
        config=config,
        data_dir=data_dir,
    )


def backfill_ticker(
    *,
    symbol: SomeSymbols = None,
    exchange: SomeExchanges = None,
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Take a snapshot of tickers."""
    _require(symbol, exchange)
    run_backfill(
        lambda hub: hub.backfill_ticker(
            symbol or None, exchange or None, **name_extras(mode, priority, dry_run)
        ),
        no_wait=no_wait,
        as_json=as_json,
        url=url,
        config=config,
        data_dir=data_dir,
    )


def backfill_orderbook(
    *,
    symbol: SomeSymbols = None,
    exchange: SomeExchanges = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Levels a side.")] = 20,
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Take a snapshot of order books."""
    _require(symbol, exchange)
    run_backfill(
        lambda hub: hub.backfill_orderbook(
            symbol or None, exchange or None, limit=limit, **name_extras(mode, priority, dry_run)
        ),
        no_wait=no_wait,
        as_json=as_json,
        url=url,
        config=config,
        data_dir=data_dir,
    )
