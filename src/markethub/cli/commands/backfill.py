"""``markethub backfill``."""

import typer

from markethub.cli.commands import backfill_accounts, backfill_market

app = typer.Typer(help="Fetch data from exchanges.", no_args_is_help=True)


@app.callback()
def _backfill() -> None:
    """Fetch data from exchanges. What is known to be complete is not fetched again."""


app.command("klines")(backfill_market.backfill_klines)
app.command("symbols")(backfill_market.backfill_symbols)
app.command("ticker")(backfill_market.backfill_ticker)
app.command("orderbook")(backfill_market.backfill_orderbook)
app.command("balances")(backfill_accounts.backfill_balances)
app.command("orders")(backfill_accounts.backfill_orders)
app.command("fills")(backfill_accounts.backfill_fills)
app.command("transfers")(backfill_accounts.backfill_transfers)
