"""Comparing slaves with their master, on demand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markethub.control.audit import insert_audit
from markethub.domain.errors import (
    MarketHubError,
    NotFoundError,
    ReplicationError,
    UnavailableError,
)
from markethub.domain.node import Role
from markethub.replication.node import SlaveNode
from markethub.services.caller import name_act
from markethub.services.dms_reports import following_of
from markethub.services.hub import Hub

VERIFY_PATH = "/api/dms/replication/verify"

_ANSWERING_S = 5.0
"""What a slave gets beyond the time that it waits itself, to answer that it goes on."""

Status = Literal["equal", "repaired", "unsettled", "running", "offline", "failed", "disabled"]
_ANSWERS: dict[str, Status] = {
    "equal": "equal",
    "repaired": "repaired",
    "unsettled": "unsettled",
    "running": "running",
    "failed": "failed",
}
"""What a slave may answer."""


@dataclass(frozen=True, slots=True)
class NodeVerification:
    """What one slave's verification found; ``running`` while it goes on.

    ``compared`` counts series and tables, ``repaired`` and ``unsettled`` name them. ``revision`` is the
    master's up to which the slave has everything.
    """

    name: str
    status: Status
    compared: int | None = None
    repaired: Sequence[str] = ()
    unsettled: Sequence[str] = ()
    revision: int | None = None
    duration_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class GroupVerification:
    """What the verifications of some slaves found."""

    nodes: Sequence[NodeVerification]

    @property
    def is_equal(self) -> bool:
        """Whether something was compared and every enabled slave is equal now."""
        told = [one.status for one in self.nodes if one.status != "disabled"]
        return bool(told) and all(status in ("equal", "repaired") for status in told)


async def verify_nodes(hub: Hub, name: str | None, timeout_s: float) -> GroupVerification:
    """On a master verify the slave ``name`` (None: all, side by side), on a slave itself.

    NotFoundError if there is no such node; UnavailableError where a verification is not done within
    ``timeout_s``: it goes on.
    """
    node = hub.node
    if node.role is Role.SLAVE:
        if name not in (None, node.name):
            raise NotFoundError(f"this slave is {node.name!r} and verifies itself only")
        await _audit(hub, node.name)
        found = [await verify_own(hub, timeout_s)]
    else:
        slaves = _choose(hub, name)
        await _audit(hub, name or "*")
        found = await asyncio.gather(*(_ask(hub, slave, timeout_s) for slave in slaves))
    if running := [one.name for one in found if one.status == "running"]:
        raise UnavailableError(
            f"not done within {timeout_s:g} s, the verification of {', '.join(running)} goes on: its end "
            "shows in GET /api/dms/sync/status, differences in the sync history; a larger timeout_s waits "
            "longer"
        )
    return GroupVerification(found)


async def verify_own(hub: Hub, timeout_s: float) -> NodeVerification:
    """Verify this slave; after ``timeout_s`` it goes on without us."""
    name, following = hub.node.name, following_of(hub)
    begun_s = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(timeout_s):
            verdict = await following.verify()
    except TimeoutError:
        return NodeVerification(name, "running", duration_s=_since(begun_s))
    except MarketHubError as error:
        return NodeVerification(name, "failed", duration_s=_since(begun_s), error=str(error))
    return NodeVerification(
        name,
        "unsettled" if verdict.unsettled else "repaired" if verdict.repaired else "equal",
        compared=verdict.compared,
        repaired=[str(one) for one in verdict.repaired],
        unsettled=[str(one) for one in verdict.unsettled],
        revision=following.state.revision,
        duration_s=_since(begun_s),
    )


def _since(begun_s: float) -> float:
    return round(asyncio.get_running_loop().time() - begun_s, 3)


def _choose(hub: Hub, name: str | None) -> list[SlaveNode]:
    slaves = hub.node.slaves
    if name is None:
        return list(slaves.values())
    if name not in slaves:
        known = ", ".join(slaves) or "none in the configuration"
        raise NotFoundError(f"Slave not found: {name[:64]}; there are {known}")
    return [slaves[name]]


async def _ask(hub: Hub, slave: SlaveNode, timeout_s: float) -> NodeVerification:
    name, link = slave.address.name, hub.node.link
    if not slave.enabled:
        return NodeVerification(name, "disabled")
    if link is None:
        return NodeVerification(name, "failed", error="no [node] cluster_token is set, so nobody is asked")
    try:
        answer = await link.ask(
            slave.address,
            "POST",
            VERIFY_PATH,
            body={"timeout_s": timeout_s},
            timeout_s=timeout_s + _ANSWERING_S,
        )
        return _parse(name, answer)
    except UnavailableError as error:
        return NodeVerification(name, "offline", error=str(error))
    except ReplicationError as error:
        return NodeVerification(name, "failed", error=str(error))


def _parse(name: str, answer: Any) -> NodeVerification:  # noqa: ANN401 - JSON of another node
    try:
        return NodeVerification(
            name,
            _ANSWERS[answer["status"]],
            compared=answer["compared"],
            repaired=[str(one) for one in answer["repaired"]],
            unsettled=[str(one) for one in answer["unsettled"]],
            revision=answer["revision"],
            duration_s=answer["duration_s"],
            error=answer["error"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReplicationError(f"{name} answers {VERIFY_PATH} with no verdict") from error


async def _audit(hub: Hub, target: str) -> None:
    async with hub.database.begin(durable=True) as connection:
        await insert_audit(connection, name_act("sync.verify"), target, {}, hub.clock())
