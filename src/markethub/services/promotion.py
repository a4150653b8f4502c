"""Make this node the master of its group."""

from markethub.control.audit import insert_audit
from markethub.domain.errors import ConflictError
from markethub.services.caller import name_act
from markethub.services.hub import Hub


async def promote_node(hub: Hub) -> int:
    """Begin a reign of this node and return its epoch, which is durable then.

    It stops following, and its engine and scheduler start, by themselves. Every node that hears of the epoch
    follows no older reign any more; a master of one writes nothing from then on.

    Raises:
        ConflictError: it reigns already, or it was replaced while it ran, and has to be restarted first.
        UnavailableError: the control database is away.
    """
    reign = hub.node.reign
    if reign.fenced_by is not None and hub.engine.is_drained:
        raise ConflictError(
            f"this master was replaced by epoch {reign.fenced_by} and has ended its work; restart it, and "
            "then promote it to take over again"
        )
    # First the database: where it is away, nothing has changed, and the caller may try again.
    async with hub.database.begin(durable=True) as connection:
        epoch = await reign.promote()
        act = name_act("node.promote")
        await insert_audit(connection, act, hub.node.name, {"epoch": epoch}, hub.clock())
    return epoch
