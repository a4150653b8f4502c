"""``markethub subscriptions``."""

import typing
from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_root, checked
from markethub.cli.output import Cell, note, print_json, print_table, say
from markethub.domain.subscription import MOST_RANKS, SubscriptionRule
from markethub.domain.symbol import Symbol, parse_root_symbol

if typing.TYPE_CHECKING:
    from markethub.client.answers import ExchangeSubscriptionsAnswer, SubscriptionUpdateAnswer

app = typer.Typer(
    help="Look at the subscribed symbols, which work without symbols of its own is about, and change them.",
    no_args_is_help=True,
)

_NAMED = 10


def _check_name(text: str) -> object:
    return Symbol.parse(text) if "." in text else parse_root_symbol(text)


Exchange = Annotated[str, typer.Argument(metavar="EXCHANGE", help="An exchange's code, such as BNC.")]


@app.command("list")
def list_subscriptions(
    *,
    exchange: Annotated[
        str | None, typer.Option(metavar="EXCHANGE", help="One exchange's symbols, such as BNC.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="Part of a symbol's name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List the subscribed symbols by name."""
    with connect(url, config, data_dir) as hub:
        page = hub.list_subscriptions(exchange, search, limit=limit, offset=offset)
    if as_json:
        print_json(page)
        return
    rows = ((row["exchange"], row["symbol"], row["created_at"]) for row in page["data"])
    print_table(("exchange", "symbol", "since"), rows)
    if (shown := len(page["data"])) < (total := page["pagination"]["total"]):
        note(f"{shown} of {total} symbols; --limit and --offset show others")


@app.command("show")
def show_choices(
    *,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show how the symbols of each exchange were chosen: by name or by a rule, and by whom.

    A rule without a time of resolution waits for the first answer of its exchange.
    """
    with connect(url, config, data_dir) as hub:
        choices = hub.list_subscriptions(limit=1)["exchanges"]
    if as_json:
        print_json(choices)
        return
    columns = ("exchange", "symbols", "chosen", "by", "updated", "resolved")
    print_table(columns, [_describe(choice) for choice in choices])


@app.command("set")
def set_symbols(
    *,
    exchange: Exchange,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYMBOL", parser=checked(_check_name), help="Such as BTC_USDT or BTC_USDT.BNC."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Subscribe to nothing on the exchange.")] = False,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Subscribe to these symbols of an exchange, and to no others."""
    if bool(symbols) == none:
        raise typer.BadParameter("name symbols, or say --none")
    with connect(url, config, data_dir) as hub:
        update = hub.set_subscriptions(exchange, symbols=symbols or [])
    _print_update(update, as_json=as_json)


@app.command("rule")
def set_rule(
    *,
    exchange: Exchange,
    quote: Annotated[str, typer.Option(metavar="CURRENCY", help="What they are priced in, such as USDT.")],
    top: Annotated[int, typer.Option(min=1, max=MOST_RANKS, help="How many, the largest first.")],
    keep: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_RANKS, help="Rank down to which one that is in stays in [default: twice --top]"
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYMBOL", parser=check_root, help="Always in, such as BTC_USDC; may be repeated."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SYMBOL", parser=check_root, help="Never in, such as USDC_USDT; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Subscribe to the symbols with the largest volume of the last 24 hours, now and anew every day.

    The hub asks the exchange at once; where it does not answer, nothing is changed.
    """
    told = {"quote": quote, "top": top, "keep": keep, "include": include or [], "exclude": exclude or []}
    rule = SubscriptionRule.parse(told)
    with connect(url, config, data_dir) as hub:
        update = hub.set_subscriptions(exchange, rule=rule.to_json())
    _print_update(update, as_json=as_json)


def _describe(choice: "ExchangeSubscriptionsAnswer") -> list[Cell]:
    rule = choice["rule"]
    return [
        choice["exchange"],
        choice["count"],
        "by name" if rule is None else str(SubscriptionRule.parse(rule)),
        choice["source"],
        choice["updated_at"],
        choice["resolved_at"],
    ]


def _print_update(update: "SubscriptionUpdateAnswer", *, as_json: bool) -> None:
    if as_json:
        print_json(update)
        return
    added, removed = update["added"], update["removed"]
    say(f"{update['exchange']}: {update['count']} symbols, {len(added)} new, {len(removed)} gone")
    for word, names in (("new", added), ("gone", removed)):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            say(f"{word}: {', '.join(names[:_NAMED])}{more}")
