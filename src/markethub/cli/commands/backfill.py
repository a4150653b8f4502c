"""``markethub backfill``."""

import typing
from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.durations import format_duration
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_symbol, check_time
from markethub.cli.output import note, print_json, say
from markethub.cli.progress import show_progress
from markethub.domain.execution import ExecutionStatus
from markethub.domain.interval import Interval

if typing.TYPE_CHECKING:
    from markethub.client import DataHub
    from markethub.client.answers import ExecutionDetailAnswer, QueuedAnswer

app = typer.Typer(help="Fetch history from exchanges.", no_args_is_help=True)


@app.callback()
def _backfill() -> None:
    """Fetch history from exchanges. What is stored already is not fetched again."""


@app.command("klines")
def backfill_klines(
    *,
    interval: Annotated[list[Interval], typer.Option(help="Bar width; may be repeated.")],
    start: Annotated[
        str, typer.Option(metavar="TIME", parser=check_time, help="First open time, ISO 8601, UTC.")
    ],
    symbol: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL", parser=check_symbol, help="Such as BTC_USDT.BNC; may be repeated."),
    ] = None,
    exchange: Annotated[
        list[str] | None,
        typer.Option(metavar="EXCHANGE", help="Every subscribed symbol of, such as BNC; may be repeated."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", parser=check_time, help="Bars that open before it [default: now]"),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return at once; the hub goes on by itself.")
    ] = False,
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
    if not symbol and not exchange:
        raise typer.BadParameter("name at least one --symbol or --exchange")
    with connect(url, config, data_dir) as hub:
        queued = hub.backfill_klines(
            symbol or None,
            exchange or None,
            intervals=[width.value for width in interval],
            start_time=start,
            end_time=end,
        )
        if no_wait:
            _print_queued(queued, as_json)
            return
        ended = _wait(hub, queued)
    _print_end(ended, as_json)


def _print_queued(queued: "QueuedAnswer", as_json: bool) -> None:
    if as_json:
        print_json(queued)
        return
    say(queued["trace_id"])
    note(f"{queued['message']}; watch it with: markethub logs {queued['trace_id']} --follow")


def _wait(hub: "DataHub", queued: "QueuedAnswer") -> "ExecutionDetailAnswer":
    trace_id = queued["trace_id"]
    try:
        note(f"{queued['message']} | trace_id={trace_id}")
        with show_progress(trace_id) as show:
            return hub.wait(trace_id, progress=show)
    except KeyboardInterrupt:
        note(f"\nNo longer watching; the hub goes on. To stop it: markethub executions cancel {trace_id}")
        raise typer.Exit(130) from None


def _print_end(ended: "ExecutionDetailAnswer", as_json: bool) -> None:
    if as_json:
        print_json(ended)
    else:
        counters = ended["counters"]
        duration_s = (ended["duration_ms"] or 0) / 1000
        say(
            f"{ended['status']}: {counters.get('processed', 0)} rows in {format_duration(duration_s)}: "
            + ", ".join(f"{counters.get(name, 0)} {name}" for name in ("inserted", "updated", "unchanged"))
        )
    if ended["status"] != ExecutionStatus.SUCCESS:
        note(f"error: {ended['error'] or ended['status']}")
        raise typer.Exit(1)
