"""``markethub promote``."""

from markethub.cli.connection import connect
from markethub.cli.options import AsJson, ConfigFile, DataDir, HubUrl
from markethub.cli.output import note, print_json, say


def promote(
    *, as_json: AsJson = False, url: HubUrl = None, config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """Make the hub the master of its group, when the master is lost.

    It stops following, and begins to fetch and to serve slaves. A former master that comes back hears of it
    and writes nothing, until it is made a slave. What it had written and nobody had followed yet is lost.
    """
    with connect(url, config, data_dir) as hub:
        promoted = hub.promote_node()
    if as_json:
        print_json(promoted)
        return
    say(f"this node is the master now, with epoch {promoted['epoch']}")
    note("name it in [master] of the other nodes, and make the former master a slave")
