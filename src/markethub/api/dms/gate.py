"""Who may come in under `/api/dms`: holders of tokens, nodes of the group, and whom the settings let in."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from markethub.api.access import BEARER, TOKENLESS_SCOPES, Gate, OpenHub, admit, name_caller
from markethub.api.locality import comes_from_this_machine
from markethub.domain.errors import ForbiddenError
from markethub.domain.node import Role
from markethub.replication.link import EPOCH_HEADER, NODE_HEADER, RUN_HEADER
from markethub.replication.node import Node
from markethub.services.hub import Hub

_ANSWERING = "markethub.answering_node"
_LONGEST_NAME = 64

_CLUSTER = HTTPBearer(
    scheme_name="cluster",
    description="The token that the nodes of one group share: `node.cluster_token` of the settings.",
    auto_error=False,
)

Dependency = Callable[..., Awaitable[None]]


def needs_dms(scope: str) -> Dependency:
    """Make the dependency that lets in who may do what ``scope`` names.

    Those are tokens with it; for TOKENLESS_SCOPES also nodes of the group, and without any token whom
    `[dms] auth` lets in. A wrong token is refused wherever it comes from. As ``access.needs`` it belongs
    among a route's ``dependencies``.
    """

    async def check_caller(
        request: Request,
        hub: OpenHub,
        _documented: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER, scopes=[scope])],
    ) -> None:
        if scope in TOKENLESS_SCOPES:
            if _shows_cluster_token(request, hub):
                await _admit_node(request, hub)
                return
            if (name := _name_tokenless(request)) is not None:
                gate: Gate = request.app.state.gate
                gate.admit_tokenless(request, name)
                return
        principal = await admit(request, hub)
        principal.require(scope)

    return check_caller


async def needs_cluster(
    request: Request,
    hub: OpenHub,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_CLUSTER)],
) -> None:
    """Let in nodes of the group alone, and take note of their epoch; 403 for every other token."""
    if not _shows_cluster_token(request, hub):
        await admit(request, hub)
        raise ForbiddenError("only nodes of the group may do this, with the group's cluster token")
    await _admit_node(request, hub)


def needs_role(role: Role) -> Dependency:
    """Make the dependency that refuses with ForbiddenError on a node of the other role.

    Listed behind the gate it is judged before parameters are.
    """

    async def check_role(hub: OpenHub) -> None:
        hub.node.reign.require_role(role)

    return check_role


def asking_node(request: Request) -> str:
    """The name that the asking node gives itself, "" where it gives none; the gate has checked its token."""
    return request.headers.get(NODE_HEADER, "")[:_LONGEST_NAME]


class EpochAnswers:
    """ASGI middleware that tells nodes of the group our epoch and run with every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_epoch(message: Message) -> None:
            node: Node | None = state.get(_ANSWERING)
            if message["type"] == "http.response.start" and node is not None:
                headers = MutableHeaders(scope=message)
                headers[EPOCH_HEADER], headers[RUN_HEADER] = node.reign.tell(), node.run
            await send(message)

        await self._app(scope, receive, send_with_epoch)


def _shows_cluster_token(request: Request, hub: Hub) -> bool:
    expected = hub.node.cluster_token
    scheme, _, shown = request.headers.get("authorization", "").strip().partition(" ")
    if expected is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(shown.strip().encode(), expected.encode())


async def _admit_node(request: Request, hub: Hub) -> None:
    # Not counted: replication has a cap of its own, and a node that waits for us falls behind.
    told = request.headers.get(EPOCH_HEADER)
    if told is not None:
        await hub.node.reign.hear_text(told)
    request.scope["state"][_ANSWERING] = hub.node
    name_caller(request, None, f"node:{asking_node(request) or 'unnamed'}")


def _name_tokenless(request: Request) -> str | None:
    """The name under which the settings let ``request`` in without a token; None if they do not."""
    gate: Gate = request.app.state.gate
    if "authorization" in request.headers or gate.rules.dms_auth == "token":
        return None
    if comes_from_this_machine(request):
        return "local"
    return "anyone" if gate.rules.dms_auth == "none" and not _is_cross_site(request) else None


def _is_cross_site(request: Request) -> bool:
    # Even on a trusted network no page of somewhere else shall steer us through a browser there.
    origin = request.headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != request.headers.get("host", "")
    except ValueError:
        return True
