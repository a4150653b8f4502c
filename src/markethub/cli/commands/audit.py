"""``markethub audit``."""

from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl, check_time
from markethub.cli.output import note, print_json, print_table

app = typer.Typer(help="Look at who changed what; the token needs the scope admin.", no_args_is_help=True)

_COLUMNS = ("at", "token", "address", "action", "target")


@app.command("list")
def list_audit(
    *,
    token: Annotated[str | None, typer.Option(help="Only of this token, by id or name.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this, such as execution.cancel, or all of execution.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="From then on, ISO 8601, UTC.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="TIME", parser=check_time, help="Before then, ISO 8601, UTC.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows to show, the newest ones.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip.")] = 0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List all writes, newest first: backfills, cancels, retries, changes of tokens, jobs and subscriptions.

    What the command line did on the hub's own machine has the token local:USER. With --json the details are
    shown too.
    """
    with connect(url, config, data_dir) as hub:
        page = hub.list_audit(token, action, limit=limit, offset=offset, before=before, after=after)
    if as_json:
        print_json(page)
        return
    rows = (
        (row["at"], row["token_name"], row["address"], row["action"], row["target"]) for row in page["data"]
    )
    print_table(_COLUMNS, rows)
    if (shown := len(page["data"])) < (total := page["pagination"]["total"]):
        note(f"{shown} of {total} rows; --limit and --offset show others")
