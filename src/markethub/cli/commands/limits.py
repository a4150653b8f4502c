"""``markethub limits``."""

import typing

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl
from markethub.cli.output import Cell, print_json, print_table

if typing.TYPE_CHECKING:
    from markethub.client.answers import LimitAnswer

_COLUMNS = (
    "exchange",
    "budget",
    "used",
    "fleet_used",
    "limit",
    "seconds",
    "waiting",
    "closed_until",
    "state",
)


def limits(
    *,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show what the exchanges allow the hub, what it used of it, and who wants to be left alone.

    used and limit are weight or requests in a window of so many seconds; fleet_used counts all hubs on the
    same control database.
    """
    with connect(url, config, data_dir) as hub:
        page = hub.limits()
    if as_json:
        print_json(page)
        return
    print_table(_COLUMNS, [_describe(row) for row in page["data"]])


def _describe(row: "LimitAnswer") -> list[Cell]:
    state = "open" if row["closed_until"] is None else "banned" if row["banned"] else "paused"
    return [
        row["exchange"],
        row["budget"],
        row["used"],
        row["fleet_used"],
        row["limit"],
        f"{row['window_seconds']:g}",
        row["waiting"],
        row["closed_until"],
        state,
    ]
