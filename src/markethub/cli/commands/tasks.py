"""``markethub tasks``."""

from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl
from markethub.cli.output import Cell, print_json, print_table, say
from markethub.domain.errors import ConflictError
from markethub.domain.task import TaskType

app = typer.Typer(
    help="See and start the tasks of a master, which keep bars up to date.", no_args_is_help=True
)

TaskName = Annotated[str, typer.Argument(metavar="NAME", help="Such as sync_klines_1h")]
_Type = Annotated[TaskType | None, typer.Option("--type", help="Those of one type only.")]


@app.command("list")
def list_tasks(
    *, as_json: AsJson = False, url: HubUrl = None, config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """List the tasks by name."""
    with connect(url, config, data_dir) as hub:
        tasks = hub.list_tasks()
    if as_json:
        print_json(tasks)
        return
    rows = [[one["name"], one["task_type"], one["status"], one["last_run_time"]] for one in tasks]
    print_table(("name", "type", "status", "last_run"), rows)


@app.command("status")
def show_task(
    *,
    name: TaskName,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show how a task's last run stands, and what all its runs did."""
    with connect(url, config, data_dir) as hub:
        task = hub.get_task_status(name)
    if as_json:
        print_json(task)
        return
    result, stats = task["last_result"], task["stats"]
    say(f"{task['name']} ({task['task_type']}): {task['status']}")
    say(f"last run: {task['last_run_time'] or 'never'}")
    if result is not None:
        say(f"last result: {result['message']}; {result['data_count']} bars inserted or updated")
    say(
        f"runs: {stats['total_runs']}, {stats['success_count']} succeeded, {stats['failed_count']} failed; "
        f"{stats['total_data_count']} bars; {stats['avg_duration']:g} s on average"
    )


@app.command("trigger")
def trigger_tasks(
    *,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Such as sync_klines_1h")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every task that is not paused or disabled.")] = False,
    task_type: _Type = None,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Start a task now, whatever its schedule says; or all, or those of one type.

    The exit code is 1 when one could not be started, such as one that runs already.
    """
    if (name is None) is not (every or task_type is not None):
        raise typer.BadParameter("name one task, or give --all or --type")
    with connect(url, config, data_dir) as hub:
        if name is not None:
            one = hub.trigger_task(name)
            print_json(one) if as_json else say(one["result"]["message"])
            return
        started = hub.trigger_all_tasks(task_type)
    if as_json:
        print_json(started)
    else:
        outcomes = started["result"]["results"].items()
        rows: list[list[Cell]] = [
            [task, "started" if one["success"] else "not started", one.get("message")]
            for task, one in outcomes
        ]
        print_table(("name", "result", "reason"), rows)
    if not started["result"]["success"]:
        raise ConflictError(started["result"]["message"])


@app.command("history")
def list_runs(
    *,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Of one task only.")] = None,
    task_type: _Type = None,
    status: Annotated[
        str | None, typer.Option(metavar="running|completed|failed", help="In one status only.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many rows at most.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="How many of the newest to leave out.")] = 0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List runs of tasks, the last begun first."""
    with connect(url, config, data_dir) as hub:
        page = hub.get_maintenance_log(task, task_type=task_type, status=status, limit=limit, offset=offset)
    if as_json:
        print_json(page)
        return
    rows: list[list[Cell]] = [
        [
            row["id"],
            row["task_name"],
            row["status"],
            row["start_time"],
            row["duration"],
            row["data_count"],
            row["result_message"],
        ]
        for row in page["logs"]
    ]
    print_table(("id", "task", "status", "start", "seconds", "bars", "result"), rows)
