"""The other nodes of the group, as the running hub reaches them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from markethub.cli.connection import use_data_folder
from markethub.cli.doctor.finding import Finding, fail, ok, warn
from markethub.cli.doctor.node import Server
from markethub.client import DataHub
from markethub.config import Settings
from markethub.domain.errors import InputError, MarketHubError
from markethub.group import read_cluster_token

if TYPE_CHECKING:
    from markethub.client.node_answers import MasterNodeAnswer, SlaveNodeAnswer

_REACH = "look at that node, and at the network and the addresses between it and this one"


def check_group(settings: Settings, server: Server | None) -> Iterator[Finding]:
    """One finding about the token, and one per other node while a hub runs here; none without a group."""
    if settings.master is None and not settings.slaves:
        return
    try:
        read_cluster_token(settings)
    except InputError as error:
        yield fail("cluster token", str(error), "correct it: nodes show it to each other")
        return
    yield ok("cluster token", "is there, and nobody else of this machine can read it in a file")
    if server is None or not server.running:
        return  # the check of the hub has said so
    use_data_folder(settings)
    try:
        with DataHub(timeout_s=settings.node.status_timeout_s + 10) as hub:
            nodes = hub.list_nodes()["nodes"]
    except MarketHubError as error:
        yield warn("nodes", str(error), "look at the check of the hub")
        return
    yield from (_describe(node) for node in nodes)


def _describe(node: "MasterNodeAnswer | SlaveNodeAnswer") -> Finding:
    name = f"node {node['name']}"
    place = f"{node['role']} at {node['host']}:{node['port']}"
    if node["status"] == "disabled":
        return ok(name, f"{place} is disabled by the configuration")
    if node["status"] == "offline":
        return fail(name, f"{place} does not answer: {node['error']}", _REACH)
    if node["role"] == "master":
        if node["fenced"]:
            advice = "make it a slave of the present master, or take it out of the group"
            return fail(name, f"{place} was replaced by another master and writes nothing", advice)
        return ok(name, f"{place} runs")
    if node["error"] is not None:
        return warn(name, f"{place} runs, and its last run failed: {node['error']}", _REACH)
    lag = "how far behind nobody knows" if node["lag_rows"] is None else f"{node['lag_rows']} rows behind"
    return ok(name, f"{place} runs, {lag}")
