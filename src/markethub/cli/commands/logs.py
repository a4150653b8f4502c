"""``markethub logs``."""

import time
import typing
from collections.abc import Iterator
from typing import Annotated

import orjson
import typer

from markethub.cli.connection import connect
from markethub.cli.options import ConfigFile, DataDir, HubUrl
from markethub.cli.output import note, say
from markethub.domain.errors import ForbiddenError, NotFoundError
from markethub.domain.execution import ExecutionStatus
from markethub.domain.times import format_time, parse_time

if typing.TYPE_CHECKING:
    from markethub.client import DataHub
    from markethub.client.answers import LogAnswer

_PAGE_ROWS = 1000
_LOOK_EVERY_S = 0.5
# Workers write their lines in batches, so one with an earlier time can appear after a later one.
_LATENESS_MS = 10_000


def logs(
    *,
    trace_id: Annotated[
        str | None, typer.Argument(metavar="[TRACE_ID]", help="Only of this execution, or of a job's name.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the execution has ended.")
    ] = False,
    level: Annotated[str | None, typer.Option(help="Only DEBUG, INFO, WARNING or ERROR.")] = None,
    search: Annotated[str | None, typer.Option(help="Only lines that hold this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest ones.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print log lines of executions, oldest first."""
    with connect(url, config, data_dir) as hub:
        page = hub.list_logs(trace_id, level=level, search=search, limit=limit, order_desc=True)
        rows = page["data"][::-1]
        earlier = page["pagination"]["total"] - len(rows)
        if earlier > 0:
            note(f"{earlier} earlier lines are not shown; see --limit")
        for row in rows:
            _print_line(row, as_json, with_trace=trace_id is None)
        if not follow:
            if not rows:
                note("no such log lines")
            return
        for row in _later_lines(hub, trace_id, level, search, rows):
            _print_line(row, as_json, with_trace=trace_id is None)


def _later_lines(
    hub: "DataHub", trace_id: str | None, level: str | None, search: str | None, shown: list["LogAnswer"]
) -> Iterator["LogAnswer"]:
    """Lines that come after ``shown``, as they come; ends with the execution."""
    newest = max((_order(row) for row in shown), default=(0, 0))
    oldest = min((_order(row) for row in shown), default=newest)
    # What --limit left out stays out.
    left_out = [row for row in _read_recent(hub, trace_id, level, search, newest) if _order(row) < oldest]
    seen = {row["id"] for row in (*left_out, *shown)}
    while True:
        # Asked before the lines are read: what has ended by now has all its lines written.
        has_ended = _has_ended(hub, trace_id)
        recent = list(_read_recent(hub, trace_id, level, search, newest))
        for row in recent:
            if row["id"] not in seen:
                yield row
                newest = max(newest, _order(row))
        if has_ended:
            return
        seen = {row["id"] for row in recent}
        time.sleep(_LOOK_EVERY_S)


def _order(row: "LogAnswer") -> tuple[int, int]:
    return parse_time(row["timestamp"]), int(row["id"])


def _read_recent(
    hub: "DataHub", trace_id: str | None, level: str | None, search: str | None, newest: tuple[int, int]
) -> Iterator["LogAnswer"]:
    """All lines from a little before ``newest`` on, oldest first."""
    since = format_time(max(newest[0] - _LATENESS_MS, 0))
    offset = 0
    while True:
        page = hub.list_logs(
            trace_id, level=level, search=search, after=since, limit=_PAGE_ROWS, offset=offset
        )
        yield from page["data"]
        if not page["pagination"]["has_next"]:
            return
        offset += _PAGE_ROWS


def _has_ended(hub: "DataHub", trace_id: str | None) -> bool:
    # A number is a job's id here; it would name another execution there.
    if trace_id is None or trace_id.isdecimal():
        return False
    try:
        return ExecutionStatus(hub.get_execution(trace_id)["status"]).is_final
    except (NotFoundError, ForbiddenError):
        # A job's name, or a token without read:jobs: then it is followed until Ctrl-C.
        return False


def _print_line(row: "LogAnswer", as_json: bool, *, with_trace: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(row).decode())
        return
    trace = f" {row['trace_id']}" if with_trace and row["trace_id"] else ""
    say(f"{row['timestamp']} {row['level']:<7}{trace} {row['message']}")
