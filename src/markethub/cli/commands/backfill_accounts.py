"""``markethub backfill`` of what belongs to accounts."""

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
    SomeAccounts,
    SomeExchanges,
    check_account,
    check_root,
    check_time,
)
from markethub.cli.queued import name_extras, run_backfill
from markethub.domain.backfill_mode import BackfillMode

RootSymbols = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol",
        metavar="SYMBOL",
        parser=check_root,
        help="Only of, such as BTC_USDT; may be repeated [default: all]",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        parser=check_time,
        help="First time, ISO 8601, UTC [default: as far back as the exchange tells]",
    ),
]
End = Annotated[
    str | None,
    typer.Option("--end", metavar="TIME", parser=check_time, help="Before it, ISO 8601 [default: now]"),
]


def _require(account: list[str] | None, exchange: list[str] | None) -> None:
    if not account and not exchange:
        raise typer.BadParameter("name at least one --account or --exchange")


def backfill_balances(
    *,
    account: Annotated[
        list[str],
        typer.Option(metavar="ACCOUNT", parser=check_account, help="Such as OKX_MM01; may be repeated."),
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
    """Take a snapshot of what configured accounts hold."""
    run_backfill(
        lambda hub: hub.backfill_balances(account, **name_extras(mode, priority, dry_run)),
        no_wait=no_wait,
        as_json=as_json,
        url=url,
        config=config,
        data_dir=data_dir,
    )


def backfill_orders(
    *,
    account: SomeAccounts = None,
    exchange: SomeExchanges = None,
    symbol: RootSymbols = None,
    start: Start = None,
    end: End = None,
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Fetch the orders of configured accounts, or of all of them on an exchange."""
    _require(account, exchange)
    run_backfill(
        lambda hub: hub.backfill_orders(
            account or None,
            exchange or None,
            symbols=symbol or None,
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


def backfill_fills(
    *,
    account: SomeAccounts = None,
    exchange: SomeExchanges = None,
    symbol: RootSymbols = None,
    start: Start = None,
    end: End = None,
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Fetch the fills of configured accounts, or of all of them on an exchange."""
    _require(account, exchange)
    run_backfill(
        lambda hub: hub.backfill_fills(
            account or None,
            exchange or None,
            symbols=symbol or None,
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


def backfill_transfers(
    *,
    account: SomeAccounts = None,
    exchange: SomeExchanges = None,
    start: Start = None,
    end: End = None,
    mode: Mode = BackfillMode.MISSING,
    priority: Priority = 0,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Fetch the deposits, withdrawals and internal moves of configured accounts."""
    _require(account, exchange)
    run_backfill(
        lambda hub: hub.backfill_transfers(
            account or None,
            exchange or None,
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
