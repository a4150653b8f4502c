"""``markethub nodes`` and ``markethub verify``."""

import typing
from typing import Annotated

import typer

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl
from markethub.cli.output import Cell, note, print_json, print_table

if typing.TYPE_CHECKING:
    from markethub.client.node_answers import MasterNodeAnswer, SlaveNodeAnswer

_NODE_COLUMNS = (
    "name",
    "role",
    "address",
    "status",
    "uptime_s",
    "epoch",
    "last_sync",
    "lag_s",
    "lag_rows",
    "last_verified",
    "trouble",
)
_VERIFIED_COLUMNS = ("node", "status", "compared", "repaired", "unsettled", "revision", "seconds", "trouble")


def nodes(
    *, as_json: AsJson = False, url: HubUrl = None, config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """Ask all nodes of the hub's group how they are, and how far each slave is behind.

    lag_s is for how long the oldest change that a slave lacks has been there, lag_rows how many rows those
    changes have; empty where nobody knows.
    """
    with connect(url, config, data_dir) as hub:
        answer = hub.list_nodes()
    if as_json:
        print_json(answer)
        return
    print_table(_NODE_COLUMNS, [_describe(node) for node in answer["nodes"]])


def verify(
    *,
    node: Annotated[str | None, typer.Option(metavar="NAME", help="One slave [default: all]")] = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=3600, help="How long to wait.")
    ] = 300.0,
    as_json: AsJson = False,
    url: HubUrl = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Prove that the slaves hold what the master holds; what differs is repaired.

    The exit code is 0 when every enabled slave is equal, if need be after a repair, and 1 otherwise. When the
    time is up the verification goes on, and the next call tells what it found.
    """
    with connect(url, config, data_dir) as hub:
        found = hub.verify_sync(node, timeout_s=timeout_s)
    if as_json:
        print_json(found)
    else:
        rows: list[list[Cell]] = [
            [
                one["name"],
                one["status"],
                one["compared"],
                len(one["repaired"]),
                len(one["unsettled"]),
                one["revision"],
                one["duration"],
                one["error"],
            ]
            for one in found["nodes"]
        ]
        print_table(_VERIFIED_COLUMNS, rows)
        for one in found["nodes"]:
            for subject in one["repaired"]:
                note(f"{one['name']}: {subject} differed and was repaired")
            for subject in one["unsettled"]:
                note(f"{one['name']}: {subject} changed each time it was compared")
    if not found["equal"]:
        note("not every slave is proven equal")
        raise typer.Exit(1)


def _describe(node: "MasterNodeAnswer | SlaveNodeAnswer") -> list[Cell]:
    about: list[Cell] = [
        node["name"],
        node["role"],
        f"{node['host']}:{node['port']}",
        "fenced" if node["role"] == "master" and node["fenced"] else node["status"],
        node["uptime"],
        node["epoch"],
    ]
    if node["role"] == "master":
        return [*about, None, None, None, None, node["error"]]
    return [
        *about,
        node["last_sync"],
        node["lag_seconds"],
        node["lag_rows"],
        node["last_verified"],
        node["error"],
    ]
