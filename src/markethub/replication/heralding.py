"""Who reigns: a node asks the others before it writes, and tells a master that it has replaced."""

import asyncio
from typing import Any

import structlog

from markethub.domain.errors import MarketHubError, ReplicationError, StoreError, UnavailableError
from markethub.domain.node import NodeAddress, Role
from markethub.replication.link import Link
from markethub.replication.node import Node

STATUS_PATH = "/api/dms/status"

_UNKNOWING_S = 3.0
_KNOWING_S = 30.0
_log = structlog.get_logger(__name__)


async def hear_slaves(node: Node) -> None:
    """Ask every enabled slave how it is, side by side, so that a newer reign is heard of before any write.

    Returns within the node's ``status_timeout_s``. Slaves that do not answer are passed over: they refuse to
    follow an older reign, and tell of theirs when they are back. StoreError where one tells of a newer reign,
    and the store cannot keep it: this node has been replaced, and must not begin to write.
    """
    if node.link is None:
        return
    asked = [slave.address for slave in node.slaves.values() if slave.enabled]
    await asyncio.gather(*(_hear(node, node.link, address) for address in asked))


async def tell_replaced(node: Node) -> None:
    """Tell the configured master of this node's reign, again and again until cancelled.

    It is for a node that reigns in that one's place. Each request carries the epoch, which fences a master of
    a lower one. One that knows is asked less often, and not left alone: somebody may promote it in its turn,
    and then its answer fences this node.
    """
    if node.link is None or node.master is None:
        return
    knows = False
    problem: type[Exception] | None = None
    while True:
        try:
            answer = await _ask(node, node.link, node.master)
        except Exception as error:  # noqa: BLE001 - logged; if this loop ended, that master would reign on
            if type(error) is not problem:
                _note_failure(node.master, error)
            answer, problem = None, type(error)
        else:
            problem = None
        if answer is not None:
            known, knows = knows, answer.get("role") == Role.SLAVE or bool(answer.get("fenced"))
            if knows and not known:
                _log.info("the replaced master knows of this reign", node=node.master.name)
        await asyncio.sleep(_KNOWING_S if knows else _UNKNOWING_S)


async def _hear(node: Node, link: Link, address: NodeAddress) -> None:
    try:
        await _ask(node, link, address)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - logged; one odd slave shall not keep the master from starting
        _note_failure(address, error)


async def _ask(node: Node, link: Link, address: NodeAddress) -> dict[str, Any] | None:
    try:
        answer = await link.ask(address, "GET", STATUS_PATH, timeout_s=node.status_timeout_s)
    except (UnavailableError, ReplicationError) as error:
        _log.debug("a node tells no status", node=address.name, error=str(error))
        return None
    return answer if isinstance(answer, dict) else None


def _note_failure(address: NodeAddress, error: Exception) -> None:
    _log.warning(
        "a node's status cannot be read now",
        node=address.name,
        error=str(error) or type(error).__name__,
        exc_info=None if isinstance(error, MarketHubError) else error,
    )
