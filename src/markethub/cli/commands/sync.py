"""``markethub sync``."""

from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_symbol, check_time
from markethub.cli.output import Cell, print_json, print_table, say
from markethub.domain.errors import UnavailableError

app = typer.Typer(help="See how slaves follow their master, and let them do so now.", no_args_is_help=True)

_OneSlave = Annotated[str | None, typer.Option("--node", metavar="NAME", help="One slave [default: all]")]
_Symbol = Annotated[
    str | None,
    typer.Option(metavar="SYMBOL", parser=check_symbol, help="Compare this one only [default: everything]"),
]
_Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", parser=check_time, help="Compare from there on, ISO 8601, UTC."),
]
_End = Annotated[
    str | None,
    typer.Option("--end", metavar="TIME", parser=check_time, help="Compare what is before it."),
]


@app.command("status")
def show_status(
    *, as_json: AsJson = False, url: HubUrl = None, config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """Show how far each slave has followed; a slave tells of itself alone. No node is asked."""
    with connect(url, config, data_dir) as hub:
        answer = hub.get_sync_status()
    if as_json:
        print_json(answer)
        return
    rows: list[list[Cell]] = [
        [
            one["name"],
            "enabled" if one["enabled"] else "disabled",
            one["last_sync"],
            one["lag_seconds"],
            one["lag_rows"],
            one["lag_revisions"],
            one["last_verified"],
            one["error"],
        ]
        for one in answer["backups"]
    ]
    columns = ("node", "state", "last_sync", "lag_s", "lag_rows", "lag_revisions", "last_verified", "trouble")
    print_table(columns, rows)


@app.command("history")
def list_history(
    *,
    node: _OneSlave = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many rows at most.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="How many of the newest to leave out.")] = 0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List what the slaves brought by series and hour, newest first."""
    with connect(url, config, data_dir) as hub:
        page = hub.list_sync_history(node, limit=limit, offset=offset)
    if as_json:
        print_json(page)
        return
    rows: list[list[Cell]] = [
        [
            row["id"],
            row["backup_name"],
            row["symbol"],
            row["interval"],
            row["sync_mode"],
            row["start_time"],
            row["end_time"],
            row["data_count"],
            row["status"],
            row["error"],
        ]
        for row in page["history"]
    ]
    columns = ("id", "node", "symbol", "interval", "mode", "start", "end", "rows", "status", "trouble")
    print_table(columns, rows)


@app.command("trigger")
def trigger(
    *,
    node: _OneSlave = None,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Tell the slaves of a master to pull what is new, without waiting for it.

    The exit code is 1 when one of them could not be told.
    """
    with connect(url, config, data_dir) as hub:
        answer = hub.trigger_sync(node)
    if as_json:
        print_json(answer)
    else:
        told = answer["result"]["results"].items()
        print_table(("node", "result"), [[name, "told" if one else "not told"] for name, one in told])
    if not answer["result"]["success"]:
        missed = [name for name, one in answer["result"]["results"].items() if not one]
        raise UnavailableError(f"not told: {', '.join(missed)}" if missed else answer["message"])


@app.command("request")
def request(
    *,
    node: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="On a master: which slave; it is not waited for."),
    ] = None,
    symbol: _Symbol = None,
    start: _Start = None,
    end: _End = None,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Let a slave pull all news, compare what is named with the master, and repair it.

    Without --node the hub itself is the slave, and the command ends when the data is there.
    """
    with connect(url, config, data_dir) as hub:
        if node is None:
            done = hub.request_sync(symbol, start, end)
            print_json(done) if as_json else say(
                f"{done['result']['message']}: {done['result']['rows']} rows were missing or different"
            )
            return
        queued = hub.sync_slave(node, symbol, start, end)
    if as_json:
        print_json(queued)
    if not queued["success"]:
        raise UnavailableError(queued["result"]["message"])
    if not as_json:
        say(queued["result"]["message"])
